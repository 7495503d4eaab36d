"""Applications and environments, and the settings that they have."""

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render

from deployments import rule_changes, verdicts
from deployments.catalog import set_monorepo_path
from deployments.csv_files import csv_answer
from deployments.forms import ApplicationForm, EnvironmentForm, TriggerForm
from deployments.models import Application, Deployment, DeploymentTrigger, Environment, Track
from deployments.pages import triggers
from deployments.tasks import ring_bell

_APPLICATION_COLUMNS = ["app", "repository", "monorepoPath", "environment", "version", "commit", "deployedAt"]


def _running(tracks: QuerySet[Track]) -> list[Deployment]:
    rows = Deployment.objects.running_on(tracks)
    return list(rows.select_related("application__repository", "environment"))


def application_list(request: HttpRequest) -> HttpResponseBase:
    """List the applications with what runs of each."""
    workspace = request.workspace  # type: ignore[attr-defined]
    applications = list(Application.objects.filter(workspace=workspace).select_related("repository"))
    running: dict[int, list[Deployment]] = {}
    for deployment in _running(Track.objects.filter(application__workspace=workspace)):
        running.setdefault(deployment.application_id, []).append(deployment)
    rows = [(application, running.get(application.pk, [])) for application in applications]
    if request.GET.get("format") == "csv":
        return csv_answer("applications", _APPLICATION_COLUMNS, _application_rows(rows))
    return render(request, "deployments/application_list.html", {"rows": rows})


def _application_rows(rows: list[tuple[Application, list[Deployment]]]) -> Iterator[list[object]]:
    """Yield a row for each environment in which an application runs, and one for those that run nowhere."""
    for application, running in rows:
        known = [application.name, application.repository.full_name, application.monorepo_path]
        for row in running:
            yield [*known, row.environment.name, row.version, row.commit_sha, row.deployed_at.isoformat()]
        if not running:
            yield [*known, None, None, None, None]


def application_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show an application with its triggers; a changed path has its changes worked out anew."""
    applications = Application.objects.select_related("repository")
    application = get_object_or_404(applications, pk=pk, workspace=request.workspace)  # type: ignore[attr-defined]
    adds_trigger = "pattern" in request.POST
    trigger_form = TriggerForm(request.POST if adds_trigger else None, application=application)
    form = ApplicationForm(None if adds_trigger else request.POST or None, instance=application)
    if adds_trigger and trigger_form.is_valid():
        return triggers.add(request, trigger_form)
    if request.method == "POST" and form.is_valid():
        path, pinned = form.cleaned_data["monorepo_path"], form.cleaned_data["monorepo_path_is_pinned"]
        with transaction.atomic():
            before, after = applications.get(pk=pk), applications.get(pk=pk)
            set_monorepo_path(after, path, pinned=pinned)
            verdicts.set_incident_window(after, form.cleaned_data["incident_window_hours"])
            rule_changes.note_differences(before, after, request.user)
        ring_bell()
        messages.success(request, "Saved. The changes are being worked out anew.")
        return redirect("deployments:application", pk)
    context = {
        "application": application,
        "form": form,
        "trigger_form": trigger_form,
        "triggers": triggers.triggers_of(application),
        "repository_has_github_triggers": DeploymentTrigger.objects.filter(
            application__repository=application.repository_id, kind=DeploymentTrigger.Kind.GITHUB_DEPLOYMENT
        ).exists(),
        "running": _running(application.tracks.all()),
        "latest": _latest(application=application),
    }
    return render(request, "deployments/application_detail.html", context)


def _latest(**conditions: Any) -> list[Deployment]:
    rows = Deployment.objects.live().filter(**conditions).select_related("application", "environment")
    return list(rows.newest_first()[:10])


def environment_list(request: HttpRequest) -> HttpResponseBase:
    """List the environments."""
    workspace = request.workspace  # type: ignore[attr-defined]
    newest = Deployment.objects.reached().filter(environment=OuterRef("pk")).newest_first()
    environments = Environment.objects.filter(workspace=workspace).annotate(
        latest_at=Subquery(newest.values("deployed_at")[:1])
    )
    if request.GET.get("format") == "csv":
        rows = [
            (row.name, "yes" if row.is_production else "no", row.latest_at and row.latest_at.isoformat())
            for row in environments
        ]
        return csv_answer("environments", ["environment", "production", "lastDeployedAt"], rows)
    return render(request, "deployments/environment_list.html", {"environments": environments})


def environment_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show an environment, and let a person say whether it is production."""
    environment = get_object_or_404(Environment, pk=pk, workspace=request.workspace)  # type: ignore[attr-defined]
    form = EnvironmentForm(request.POST or None, instance=environment)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            before = Environment.objects.get(pk=pk)
            rule_changes.note_differences(before, form.save(), request.user)
        messages.success(request, "Saved.")
        return redirect("deployments:environment", pk)
    context = {
        "environment": environment,
        "form": form,
        "running": _running(environment.tracks.all()),
        "latest": _latest(environment=environment),
    }
    return render(request, "deployments/environment_detail.html", context)
