"""Incidents: the list, the page of one, and what people do with them."""

import datetime
from collections.abc import Callable
from typing import Any

import django_filters
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Case, Q, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from deployments import incidents
from deployments.csv_files import csv_answer
from deployments.models import Application, Deployment, FailureFinding, Incident, Workspace
from deployments.pages.incident_form import IncidentForm, known_facts
from deployments.tasks import ring_bell

_PAGE_SIZE = 50
_CSV_COLUMNS = [
    "id", "title", "startedAt", "resolvedAt", "durationSeconds", "app", "repository", "environment",
    "causeDeployment", "causeVersion", "source", "url",
]  # fmt: skip
# What may have caused an incident is looked for so long before it. A little after: clocks differ.
_LOOK_BACK = datetime.timedelta(days=14)
_LOOK_AHEAD = datetime.timedelta(hours=1)
_MOST_CANDIDATES = 20


def _applications(request: HttpRequest | None) -> QuerySet[Application]:
    if request is None:
        return Application.objects.none()
    return Application.objects.filter(workspace=request.workspace)  # type: ignore[attr-defined]


class IncidentFilter(django_filters.FilterSet):  # type: ignore[misc]
    """What the list can be narrowed down to; every choice is in the address."""

    application = django_filters.ModelChoiceFilter(
        queryset=_applications, method="of_application", empty_label="All", label="Application"
    )
    state = django_filters.ChoiceFilter(
        choices=[("open", "open"), ("resolved", "resolved")],
        method="in_state",
        empty_label="Any state",
        label="State",
    )

    class Meta:
        model = Incident
        fields: list[str] = []

    def of_application(self, rows: QuerySet[Incident], name: str, chosen: Application) -> QuerySet[Incident]:
        """Keep those of an application; where nobody said of which one is, the cause does."""
        return rows.filter(Q(application=chosen) | Q(application=None, cause__application=chosen))

    def in_state(self, rows: QuerySet[Incident], name: str, state: str) -> QuerySet[Incident]:
        """Keep those that are open, or those that are not."""
        return rows.filter(resolved_at__isnull=state == "open")


def _visible(request: HttpRequest) -> QuerySet[Incident]:
    rows = Incident.objects.filter(workspace=request.workspace)  # type: ignore[attr-defined]
    return rows.select_related(
        "application__repository",
        "environment",
        "repository",
        "cause__application",
        "cause__environment",
        "created_by",
    )


def _get(request: HttpRequest, pk: int) -> Incident:
    return get_object_or_404(_visible(request), pk=pk)


def incident_list(request: HttpRequest) -> HttpResponseBase:
    """List incidents, the open ones first."""
    withdrawn = request.GET.get("withdrawn") == "yes"
    rows = _visible(request).filter(is_withdrawn=withdrawn)
    chosen = IncidentFilter(request.GET, queryset=rows, request=request)
    open_first = Case(When(resolved_at=None, then=Value(0)), default=Value(1))
    ordered = chosen.qs.order_by(open_first, "-started_at", "-id")
    if request.GET.get("format") == "csv":
        return csv_answer("incidents", _CSV_COLUMNS, map(_csv_row, ordered.iterator()))
    page = Paginator(ordered, _PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "filter": chosen,
        "page": page,
        "is_filtered": bool(request.GET.get("application") or request.GET.get("state")),
        "withdrawn": withdrawn,
    }
    return render(request, "deployments/incident_list.html", context)


def _csv_row(row: Incident) -> list[object]:
    cause = row.cause
    application = row.application or (cause.application if cause else None)
    repository = row.repository or (row.application.repository if row.application else None)
    return [
        row.pk, row.title, row.started_at.isoformat(), row.resolved_at and row.resolved_at.isoformat(),
        row.duration_seconds, application and application.name, repository and repository.full_name,
        row.environment and row.environment.name, row.cause_id, cause and cause.version, row.source, row.url,
    ]  # fmt: skip


def add(request: HttpRequest) -> HttpResponse:
    """Open an incident; `cause` in the address names the deployment that it is reported for."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    cause = _deployment_of(workspace, request.GET.get("cause", ""))
    initial: dict[str, Any] = {"started_at": timezone.now()}
    if cause is not None:
        initial |= {"application": cause.application, "environment": cause.environment}
    form = IncidentForm(request.POST or None, initial=initial, workspace=workspace)
    if request.method == "POST" and form.is_valid():
        facts = form.facts()
        if cause is not None:
            facts["cause"] = cause
        incident, _ = incidents.open_incident(
            workspace, source=Incident.Source.PERSON, created_by=_person(request), **facts
        )
        ring_bell()
        messages.success(request, "The incident is recorded.")
        return redirect("deployments:incident", incident.pk)
    return render(request, "deployments/incident_form.html", {"form": form, "incident": None, "cause": cause})


def _person(request: HttpRequest) -> Any:
    return request.user


def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Change the facts of an incident."""
    incident = _get(request, pk)
    form = IncidentForm(
        request.POST or None,
        initial=known_facts(incident),
        workspace=incident.workspace,
        incident=incident,
    )
    if request.method == "POST" and form.is_valid():
        incidents.change_incident(incident, **form.facts())
        ring_bell()
        messages.success(request, "Saved.")
        return redirect("deployments:incident", pk)
    return render(request, "deployments/incident_form.html", {"form": form, "incident": incident})


def incident_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show an incident, what caused it, and which deployments else may have."""
    incident = _get(request, pk)
    context = {
        "incident": incident,
        "why": FailureFinding.objects.filter(incident=incident).values_list("why", flat=True).first(),
        "candidates": _candidates(incident),
        "look_back_days": _LOOK_BACK.days,
    }
    return render(request, "deployments/incident_detail.html", context)


def _candidates(incident: Incident) -> list[Deployment]:
    """Return what was deployed where the incident was, shortly before it began, the latest first."""
    rows = Deployment.objects.reached().filter(workspace=incident.workspace_id)
    if incident.environment_id is not None:
        rows = rows.filter(environment=incident.environment_id)
    else:
        rows = rows.in_production()
    if incident.application_id is not None:
        rows = rows.filter(application=incident.application_id)
    rows = rows.during(incident.started_at - _LOOK_BACK, incident.started_at + _LOOK_AHEAD)
    return list(rows.select_related("application", "environment").newest_first()[:_MOST_CANDIDATES])


def _deployment_of(workspace: Workspace, number: str) -> Deployment | None:
    """Return the deployment of this id, if it is this workspace's."""
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        return None
    rows = Deployment.objects.select_related("application__repository", "environment")
    return rows.filter(workspace=workspace, pk=int(number)).first()


@require_POST
def link(request: HttpRequest, pk: int) -> HttpResponse:
    """Say which deployment caused an incident, that none did, or that the rules shall find it."""
    incident, said = _get(request, pk), request.POST.get("deployment", "")
    deployment = _deployment_of(incident.workspace, said)
    if said == "auto":
        incidents.unlink(incident)
    elif said == "none" or deployment is not None:
        incidents.link(incident, deployment)
    else:
        messages.error(request, "There is no such deployment.")
    ring_bell()
    return redirect("deployments:incident", pk)


def _act(request: HttpRequest, pk: int, act: Callable[[Incident], Incident]) -> HttpResponse:
    incident = _get(request, pk)
    try:
        act(incident)
    except incidents.IssueDecides:
        messages.error(request, "The GitHub issue decides this: change it there.")
    ring_bell()
    return redirect("deployments:incident", pk)


@require_POST
def resolve(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that an incident is over now."""
    return _act(request, pk, incidents.resolve)


@require_POST
def reopen(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that an incident is not over."""
    return _act(request, pk, incidents.reopen)


@require_POST
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that an incident was none."""
    return _act(request, pk, incidents.withdraw)


@require_POST
def restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that a withdrawn incident was one after all."""
    return _act(request, pk, incidents.restore)
