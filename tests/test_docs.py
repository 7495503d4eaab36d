"""The documents name everything that there is."""

import re
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

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
