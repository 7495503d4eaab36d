"""No page and no API reaches another workspace: whatever has an id there is not there for anybody else.

The addresses are those of the URL map itself, so that one that is added is tried as well, or has to be told of here.
"""

import datetime as dt
import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from deployments.models import (
    ApiKey,
    DeploymentSecret,
    DeploymentTrigger,
    FreezePeriod,
    Incident,
    Job,
    JobStatus,
    Overruling,
    RateLimitWindow,
    RefusedRequest,
    Scope,
    Team,
    WebhookDelivery,
    WebhookSubscription,
    Workspace,
)
from deployments.models.github import GithubConnection
from metrics.models import Digest, Goal, Metric
from tests.factories import make_deployment, make_key, make_track, make_user, make_workspace
from tests.github_style.client import SHA
from tests.machines import Machine, make_report

pytestmark = pytest.mark.once
METHODS = ["GET", "PATCH", "PUT", "POST", "DELETE"]
# What stands in every name of the other workspace, and in none of one's own.
MARK = "globex-only"
# What a parameter names that is no row of a workspace.
NO_ROW = {
    "explain/slug": "an explanation, the same for all",
    "badge/token": "a signed link, good for whoever was given it",
    "unsubscribe/token": "a signed link, good for whoever was given it",
    "users/login": "any name, of which only the name itself is told",
    "users/what": "a list that is always empty",
    "api/v3/anything": "what there is not",
}
# GitHub has no key, only a signature: whose secret is not known is told so, whether there is a workspace or not.
UNSIGNED = "api/workspaces/<uuid:workspace_id>/deployments/github-webhook"
# A name is no id: a deployment of a repository that nobody told of yet makes one of that name in one's own workspace.
BY_NAME = "api/v3/repos/<str:owner>/<path:repo>/deployments"
# Noted of whoever asks: the people of a payload URL may see who was refused there.
NOTES = (RefusedRequest, RateLimitWindow, Session)


def routes_of(patterns: Any, prefix: str = "") -> Iterator[str]:
    """Yield every address of the URL map but those of the admin, which is of the whole installation."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        elif route != "admin/":
            yield from routes_of(pattern.url_patterns, route)


def parameters_of(route: str) -> dict[str, str]:
    """Return what stands for each id of an address: `jobs/pk`, the word before it and the name of the parameter."""
    joined = route.replace("<str:owner>/<path:repo>", "<path:repo>").replace("<str:owner>/<str:repo>", "<path:repo>")
    words, found = [], {}
    for part in joined.split("/"):
        name = re.search(r"<(?:\w+:)?(\w+)>", part)
        if name is None:
            words.append(part)
        else:
            place = "/".join(words) if name[1] == "anything" else words[-1] if words else ""
            found[name[0]] = f"{place}/{name[1]}"
    return found


def address_of(route: str, ids: dict[str, Any]) -> str:
    """Return the address with something in the place of each id."""
    joined = re.sub(r"<str:owner>/<(str|path):repo>", "<path:repo>", route)
    for parameter, value in ids.items():
        joined = joined.replace(parameter, str(value))
    return f"/{joined}"


ROUTES = list(routes_of(get_resolver().url_patterns))
WITHOUT_ID = [route for route in ROUTES if not parameters_of(route)]
WITH_ID = [route for route in ROUTES if set(parameters_of(route).values()) - set(NO_ROW)]


def furnish(workspace: Workspace, mark: str) -> dict[str, Any]:
    """Put one of everything into a workspace, and return what each parameter of an address can name there."""
    track = make_track(workspace, f"{mark}-app", f"{mark}-environment", f"{mark}/backend")
    application, environment = track.application, track.environment
    deployment = make_deployment(track, version=f"{mark}-v1")
    Overruling.objects.create(deployment=deployment, verdict="failure", holds=False, reason=f"{mark} says no.")
    incident = Incident.objects.create(
        workspace=workspace, title=f"{mark} is down", started_at=timezone.now(), source=Incident.Source.API
    )
    job = Job.objects.create(
        workspace=workspace, payload={"version": f"{mark}-v1"}, status=JobStatus.ERROR, error=f"{mark} failed"
    )
    trigger = DeploymentTrigger.objects.create(
        application=application, kind="push", pattern=f"{mark}-branch", environment=environment
    )
    team = Team.objects.create(workspace=workspace, name=f"{mark}-team")
    day = dt.date(2026, 12, 24)
    freeze = FreezePeriod.objects.create(workspace=workspace, first_day=day, last_day=day, reason=f"{mark} sleeps")
    key = ApiKey.create(workspace=workspace, name=f"{mark}-key")[0]
    for _ in range(2):
        DeploymentSecret.rotate(workspace, dt.timedelta(hours=1))
    secret = DeploymentSecret.objects.get(workspace=workspace, expires_at__isnull=False)
    connection = GithubConnection.objects.create(workspace=workspace, token="t", repositories=f"{mark}/*")
    webhook = WebhookSubscription.objects.create(
        workspace=workspace, url=f"https://{mark}.example.com/", host=f"{mark}.example.com:443", secret="s"
    )
    delivery = WebhookDelivery.objects.create(subscription=webhook, event="ping", payload=f'{{"zen": "{mark}"}}')
    goal = Goal.objects.create(
        workspace=workspace, metric=Metric.CHANGE_LEAD_TIME, target=60, application=application
    )
    digest = Digest.objects.create(workspace=workspace, kind=Digest.Kind.EMAIL, address=f"{mark}@example.com")
    return {
        "deployments/pk": deployment.pk,
        "deployments/id": deployment.pk,
        "statuses/status_id": deployment.statuses.get().pk,
        "overrule/verdict": "failure",
        "applications/pk": application.pk,
        "triggers/trigger": trigger.pk,
        "environments/pk": environment.pk,
        "environments/name": environment.name,
        "incidents/pk": incident.pk,
        "incidents/id": incident.pk,
        "jobs/pk": job.pk,
        "jobs/job_id": job.pk,
        "waiting/pk": track.pk,
        "teams/pk": team.pk,
        "calendar/pk": freeze.pk,
        "api-keys/pk": key.pk,
        "secrets/pk": secret.pk,
        "repositories/pk": application.repository.pk,
        "connections/pk": connection.pk,
        "webhooks/pk": webhook.pk,
        "webhooks/id": webhook.pk,
        "deliveries/delivery": delivery.pk,
        "deliveries/delivery_id": delivery.pk,
        "workspaces/workspace_id": workspace.pk,
        "repos/repo": application.repository.full_name,
        "goals/pk": goal.pk,
        "digests/pk": digest.pk,
    }


@pytest.fixture
def theirs(db: None) -> dict[str, Any]:
    """What there is in another workspace."""
    return furnish(make_workspace("Globex", slug=MARK), MARK)


@pytest.fixture
def mine(workspace: Workspace) -> dict[str, Any]:
    """The same things in one's own workspace."""
    return furnish(workspace, "own")


@pytest.fixture
def machine(workspace: Workspace) -> Machine:
    """A program with a key of one's own workspace that may do everything."""
    return almighty(workspace)


def almighty(workspace: Workspace) -> Machine:
    machine = Machine(make_key(workspace, scopes=list(Scope.values)))
    machine.get("/v1/teams")  # from now on its last use is known
    return machine


def ask(pages: Client, machine: Machine, route: str, method: str, address: str) -> Any:
    """Ask as whoever the address is for: a program, or a person."""
    if route.startswith(("v1/", "api/")) and route != "v1/docs/":
        body = make_report(ref=SHA, state="success", event_type="go", title="Taken over", events=["*"])
        return machine.request(method, address, b"" if method in ("GET", "DELETE") else body)
    return pages.generic(method, address)


def body_of(answer: Any) -> str:
    """Return what an answer says."""
    content: bytes = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return content.decode()


def everything() -> dict[str, list[dict[str, Any]]]:
    """Return all that is stored, but for what is noted of requests."""
    return {
        model._meta.label: list(model._base_manager.order_by("pk").values())
        for model in apps.get_models(include_auto_created=True)
        if model not in NOTES
    }


def assert_only_own_is_new(before: dict[str, list[dict[str, Any]]], workspace: Workspace) -> None:
    """Assert that all that was there is as it was, and that nothing was added to another workspace."""
    for label, rows in everything().items():
        assert [row for row in before[label] if row not in rows] == [], label
        new = [row for row in rows if row not in before[label]]
        assert {row["workspace_id"] for row in new if "workspace_id" in row} <= {workspace.pk}, label


def test_every_id_in_an_address_is_known_here(theirs: dict[str, Any]) -> None:
    named = {parameter for route in ROUTES for parameter in parameters_of(route).values()}

    assert named - set(theirs) - set(NO_ROW) == set(), "Say in furnish() what this names, and it is tried."
    assert (set(theirs) | set(NO_ROW)) - named == set(), "No address has this any more."


@pytest.mark.parametrize("route", WITH_ID)
def test_what_is_of_another_workspace_is_not_there(
    route: str,
    theirs: dict[str, Any],
    mine: dict[str, Any],
    workspace: Workspace,
    pages: Client,
    machine: Machine,
) -> None:
    parameters = parameters_of(route)
    choices = [dict.fromkeys([mine[name], theirs[name]]) for name in parameters.values()]
    own = [mine[name] for name in parameters.values()]
    before = everything()

    # One id of theirs among one's own is enough.
    for values in itertools.product(*choices):
        if list(values) == own:
            continue
        address = address_of(route, dict(zip(parameters, values, strict=True)))
        answers = {method: ask(pages, machine, route, method, address) for method in METHODS}
        statuses = {method: answer.status_code for method, answer in answers.items()}
        if route == BY_NAME:
            assert statuses.pop("POST") == 201
        refusals = {401} if route == UNSIGNED else {404}
        assert set(statuses.values()) <= {405, *refusals}, f"{address}: {statuses}"
        assert set(statuses.values()) & refusals, f"{address}: {statuses}"
        assert not any(MARK in body_of(answer) for answer in answers.values()) or route == BY_NAME

    assert_only_own_is_new(before, workspace)
    assert route == BY_NAME or everything() == before


@pytest.mark.parametrize("route", WITH_ID)
def test_it_is_there_for_those_whose_it_is(route: str, theirs: dict[str, Any], client: Client) -> None:
    workspace = Workspace.objects.get(slug=MARK)
    client.force_login(make_user(workspace))
    address = address_of(route, {name: theirs[what] for name, what in parameters_of(route).items()})
    machine = almighty(workspace)

    statuses = {method: ask(client, machine, route, method, address).status_code for method in METHODS}
    assert set(statuses.values()) - {404, 405}, f"{address}: {statuses}"


@pytest.mark.parametrize("route", WITHOUT_ID)
def test_no_list_shows_what_is_of_another_workspace(
    route: str,
    theirs: dict[str, Any],
    mine: dict[str, Any],
    workspace: Workspace,
    pages: Client,
    machine: Machine,
) -> None:
    before = everything()
    for query in ("", "?format=csv"):
        assert MARK not in body_of(ask(pages, machine, route, "GET", f"/{route}{query}"))

    assert_only_own_is_new(before, workspace)
