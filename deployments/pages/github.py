"""The page about GitHub: what to enter there, whether it arrives, and what became of it."""

import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import conditional_page, require_POST

from deployments.catalog import Catalog
from deployments.github.events import EVENTS
from deployments.models import (
    Deployment,
    DeploymentOrigin,
    DeploymentSecret,
    GithubConnection,
    Job,
    JobType,
    Membership,
    Repository,
    Workspace,
)
from deployments.pages.deliveries import (
    MOST_REPOSITORIES,
    OUTCOMES,
    Choice,
    deliveries,
    repository_states,
)

# What GitHub's form calls each event, and what it is for.
TICKS = {
    "push": ("Pushes", "the commits, and the tags"),
    "pull_request": ("Pull requests", "what a change is, and when it was begun and merged"),
    "pull_request_review": ("Pull request reviews", "how long a change waited for its review"),
    "deployment": ("Deployments", "deployments that GitHub knows of"),
    "deployment_status": ("Deployment statuses", "whether those succeeded"),
    "release": ("Releases", "where a release is a deployment"),
    "workflow_run": ("Workflow runs", "where a run of GitHub Actions is a deployment"),
    "issues": ("Issues", "incidents, by their label"),
    "repository": ("Repositories", "new names, archived ones"),
    "create": ("Branch or tag creation", "new branches and tags"),
    "delete": ("Branch or tag deletion", "those that are gone"),
}
# Only a GitHub App is sent these; a webhook's form has no box for them.
OF_APPS_ONLY = {"repository_dispatch"}
_OWN_HOSTS = {"localhost", "127.0.0.1", "::1"}


def is_owner(request: HttpRequest) -> bool:
    """Tell whether the person owns the workspace: only owners have to do with its secrets."""
    rows = Membership.objects.filter(
        user=request.user,  # type: ignore[misc]
        workspace=request.workspace,  # type: ignore[attr-defined]
        role=Membership.Role.OWNER,
    )
    return rows.exists()


def require_owner(request: HttpRequest) -> None:
    """Raise PermissionDenied for those who do not own the workspace."""
    if not is_owner(request):
        raise PermissionDenied


@never_cache
def github(request: HttpRequest) -> HttpResponse:
    """Show the page, and make a secret: its text is on the answer to that request and nowhere else."""
    new_secret = ""
    if request.method == "POST":
        require_owner(request)
        overlap = datetime.timedelta(hours=settings.SLIPWAY_SECRET_OVERLAP_HOURS)
        new_secret = DeploymentSecret.rotate(request.workspace, overlap)  # type: ignore[attr-defined]
    return render(request, "deployments/github.html", {**_live(request), "new_secret": new_secret})


@cache_control(private=True, no_cache=True)
@conditional_page
def live(request: HttpRequest) -> HttpResponse:
    """Tell what the page shows now; where nothing has changed, only that."""
    return render(request, "deployments/_github_live.html", _live(request))


def _live(request: HttpRequest) -> dict[str, Any]:
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    path = reverse("github-webhook", args=[workspace.pk])
    choice = _choice(request)
    found, older = deliveries(workspace, path, choice)
    states = repository_states(workspace)
    secrets = list(DeploymentSecret.objects.usable(timezone.now()).filter(workspace=workspace).defer("secret"))
    steps = _steps(workspace, bool(secrets), found)
    return {
        "payload_url": _absolute(request, path),
        "is_unreachable": urlsplit(_absolute(request, path)).hostname in _OWN_HOSTS,
        "ticks": [TICKS[event] for event in TICKS if event in EVENTS],
        "is_owner": is_owner(request),
        "secret": secrets[0] if secrets else None,
        "former_secrets": secrets[1:],
        "overlap_hours": settings.SLIPWAY_SECRET_OVERLAP_HOURS,
        "connections": list(workspace.github_connections.defer("token", "private_key")),
        "steps": steps,
        "is_set_up": all(steps.values()),
        "states": states,
        "states_are_cut": len(states) == MOST_REPOSITORIES,
        "deliveries": found,
        "choice": choice,
        "outcomes": [(name, _address(choice, outcome=name, before="")) for name in ("", *OUTCOMES)],
        "everything": reverse("deployments:github"),
        "older": _address(choice, before=older) if older else "",
        "live_address": _address(choice, view="deployments:github-live"),
    }


def _choice(request: HttpRequest) -> Choice:
    outcome, repository, before = (
        request.GET.get(name, "").replace("\x00", "").strip() for name in ("outcome", "repository", "before")
    )
    return Choice(outcome if outcome in OUTCOMES else "", repository, before)


def _steps(workspace: Workspace, has_secret: bool, found: list[Any]) -> dict[str, bool]:
    """Tell how far the setting up has come."""
    delivered = Job.objects.filter(workspace=workspace, type=JobType.GITHUB_WEBHOOK)
    reported_otherwise = [Deployment.Source.API, Deployment.Source.GIT]
    origins = DeploymentOrigin.objects.filter(application__workspace=workspace)
    return {
        "secret": has_secret,
        "delivery": any(one.job for one in found) or delivered.exists(),
        "deployment": any(one.job and one.job.deployment_id for one in found)
        or origins.exclude(source__in=reported_otherwise).exists(),
    }


def _absolute(request: HttpRequest, path: str) -> str:
    return f"{settings.BASE_URL}{path}" if settings.BASE_URL else request.build_absolute_uri(path)


def _address(choice: Choice, view: str = "deployments:github", **changed: str) -> str:
    """Return the address of the list as it is narrowed down, with parts of that changed."""
    parts = {"outcome": choice.outcome, "repository": choice.repository, "before": choice.before, **changed}
    query = urlencode({name: value for name, value in parts.items() if value})
    return reverse(view) + (f"?{query}" if query else "")


@require_POST
def end_secret(request: HttpRequest, pk: int) -> HttpResponse:
    """End the time of a former secret now. The present one goes only when another takes its place."""
    require_owner(request)
    now = timezone.now()
    rows = DeploymentSecret.objects.usable(now).filter(workspace=request.workspace).defer("secret")  # type: ignore[attr-defined]
    secret = get_object_or_404(rows.filter(expires_at__isnull=False), pk=pk)
    DeploymentSecret.objects.filter(pk=secret.pk).update(expires_at=now)
    messages.success(request, "The former secret is no longer good.")
    return redirect("deployments:github")


@require_POST
def choose_deployments(request: HttpRequest, pk: int) -> HttpResponse:
    """Lead to where it is said what counts as a deployment of a repository: the page of its application.

    A repository of which only pushes were heard has none yet.
    """
    repository = get_object_or_404(Repository, pk=pk, workspace=request.workspace)  # type: ignore[attr-defined]
    application = repository.applications.order_by("-is_default", "id").first() or Catalog(
        request.workspace  # type: ignore[attr-defined]
    ).default_application(repository, repository.short_name)
    return redirect(reverse("deployments:application", args=[application.pk]) + "#triggers")


def connection_of(request: HttpRequest, pk: int) -> GithubConnection:
    """Return a connection of the workspace without its secrets. Raises Http404."""
    rows = GithubConnection.objects.defer("token", "private_key")
    return get_object_or_404(rows, pk=pk, workspace=request.workspace)  # type: ignore[attr-defined]
