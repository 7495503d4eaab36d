"""The documents name everything that there is."""

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from deployments.models import Workspace
from tests import factories

SELECTABLE = ("environment", "app", "repository", "team", "author", "from", "to", "period", "interval", "bots")
ROOT = Path(__file__).parent.parent
DOCS = {path.name: path.read_text() for path in (ROOT / "docs").glob("*.md")}


def routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> list[str]:
    found: list[str] = []
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        found += routes(pattern.url_patterns, route) if isinstance(pattern, URLResolver) else [route]
    return found


@pytest.mark.parametrize(
    "name",
    sorted(
        set(
            re.findall(
                r'"((?:SLIPWAY_|CACHE_|CELERY_BROKER_|DATABASE_)[A-Z_]+|PORT)"',
                (ROOT / "config/settings.py").read_text(),
            )
        )
    ),
)
def test_every_environment_variable_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCS["operating.md"]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "deployments/management/commands").glob("[!_]*.py")), ids=lambda p: p.stem
)
def test_every_command_is_documented(path: Path) -> None:
    assert path.stem in DOCS["operating.md"]


@pytest.mark.parametrize(
    "route",
    sorted(
        route
        for route in routes(get_resolver().url_patterns)
        if route.startswith(("v1/", "api/")) and not route.startswith("api/v3")
    ),
)
def test_every_endpoint_is_documented(route: str) -> None:
    known = re.sub(r"<[a-z]+:workspace_id>", "{workspace-id}", route)
    known = re.sub(r"<[a-z]+:[a-z_]*id>", "{id}", known)
    assert f"/{known}" in DOCS["api.md"]


@pytest.mark.parametrize(
    "route", sorted(route for route in routes(get_resolver().url_patterns) if route.startswith("api/v3/"))
)
def test_every_endpoint_of_the_github_style_api_is_documented(route: str) -> None:
    known = re.sub(r"<[a-z]+:([a-z_]+)>", r"{\1}", route.removeprefix("api/v3"))
    assert f"`{known}`" in DOCS["github-api.md"] or known == "/{anything}"


@pytest.mark.parametrize("name", sorted(DOCS))
def test_links_between_documents_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", DOCS[name]):
        assert (ROOT / "docs" / target).exists(), target


def keys_in(body: Any) -> set[str]:
    """Return the names of all fields, at whatever depth."""
    if isinstance(body, dict):
        return set(body).union(*(keys_in(value) for value in body.values()))
    return set().union(*(keys_in(value) for value in body)) if isinstance(body, list) else set()


@pytest.mark.django_db
def test_every_field_of_the_metrics_is_documented(workspace: Workspace, key: str, client: Client) -> None:
    deployment = factories.make_deployment(factories.make_track(workspace), factories.NOON)
    factories.make_change(deployment, dt.timedelta(hours=1))
    section = DOCS["api.md"].partition("## GET /v1/metrics/dora")[2].partition("\n## ")[0]
    body = client.get(
        "/v1/metrics/dora?from=2026-03-01&to=2026-03-30", headers={"authorization": f"Bearer {key}"}
    ).json()
    assert {name for name in keys_in(body) if f"`{name}`" not in section and f'"{name}"' not in section} == set()
    assert {name for name in SELECTABLE if f"`{name}`" not in section} == set()
