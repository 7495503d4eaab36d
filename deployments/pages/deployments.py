"""The list of deployments, and the page of one."""

import datetime
from typing import Any
from urllib.parse import urlencode

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from deployments import recording
from deployments.csv_files import csv_answer
from deployments.models import Application, ChangeKind, Deployment, DeploymentState, Environment, Repository
from deployments.pages.failures import verdict_context
from deployments.tasks import ring_bell

_PAGE_SIZE = 50
_CSV_COLUMNS = [
    "id", "deployedAt", "app", "repository", "environment", "version", "commit", "state", "changeKind", "changes",
    "author", "failed", "repairedAt", "rework",
]  # fmt: skip
_DATE = forms.DateInput(attrs={"type": "date"})


def _of_workspace(model: Any) -> Any:
    def rows(request: HttpRequest | None) -> Any:
        return model.objects.filter(workspace=request.workspace) if request else model.objects.none()  # type: ignore[attr-defined]

    return rows


class DeploymentFilter(django_filters.FilterSet):  # type: ignore[misc]
    """What the list can be narrowed down to; every choice is in the address."""

    application = django_filters.ModelMultipleChoiceFilter(queryset=_of_workspace(Application))
    environment = django_filters.ModelMultipleChoiceFilter(queryset=_of_workspace(Environment))
    repository = django_filters.ModelMultipleChoiceFilter(
        field_name="application__repository", queryset=_of_workspace(Repository), label="Repository"
    )
    state = django_filters.ChoiceFilter(choices=DeploymentState.choices, empty_label="Any state")
    change_kind = django_filters.ChoiceFilter(choices=ChangeKind.choices, empty_label="Any kind", label="Kind")
    author = django_filters.CharFilter(lookup_expr="iexact")
    q = django_filters.CharFilter(method="search", label="Version or commit")
    to = django_filters.DateFilter(method="until", widget=_DATE, label="To")
    failed = django_filters.ChoiceFilter(
        choices=[("yes", "Failed")], method="only_failed", empty_label="Any verdict", label="Verdict"
    )
    reached = django_filters.ChoiceFilter(choices=[("yes", "yes")], method="only_reached", widget=forms.HiddenInput)

    class Meta:
        model = Deployment
        fields: list[str] = []

    def search(self, rows: QuerySet[Deployment], name: str, text: str) -> QuerySet[Deployment]:
        """Keep versions and commits that begin with the text: an index can find those."""
        return rows.filter(Q(version__istartswith=text.strip()) | Q(commit_sha__startswith=text.strip().lower()))

    def since(self, rows: QuerySet[Deployment], name: str, day: datetime.date) -> QuerySet[Deployment]:
        """Keep what was deployed on the day or later, in the workspace's time zone."""
        return rows.filter(deployed_at__gte=self._midnight(day))

    def until(self, rows: QuerySet[Deployment], name: str, day: datetime.date) -> QuerySet[Deployment]:
        """Keep what was deployed on the day or earlier."""
        return rows.filter(deployed_at__lt=self._midnight(day + datetime.timedelta(days=1)))

    def only_failed(self, rows: QuerySet[Deployment], name: str, value: str) -> QuerySet[Deployment]:
        """Keep what had to be repaired."""
        return rows.filter(has_failed=True)

    def only_reached(self, rows: QuerySet[Deployment], name: str, value: str) -> QuerySet[Deployment]:
        """Keep what the metrics count."""
        return rows.filter(reached_environment=True)

    def _midnight(self, day: datetime.date) -> datetime.datetime:
        return datetime.datetime.combine(day, datetime.time(), self.request.workspace.zone)


# `from` is a word of Python's, so it cannot be named in the class. It stands before `to` all the same.
_FROM = django_filters.DateFilter(method="since", widget=_DATE, label="From")
DeploymentFilter.base_filters["from"] = _FROM
DeploymentFilter.base_filters.move_to_end("to")


def _visible(request: HttpRequest) -> QuerySet[Deployment]:
    rows = Deployment.objects.filter(workspace=request.workspace)  # type: ignore[attr-defined]
    return rows.select_related("application__repository", "environment")


def deployment_list(request: HttpRequest) -> HttpResponseBase:
    """List deployments, the newest first."""
    archived = request.GET.get("archived") == "yes"
    rows = _visible(request).filter(archived_at__isnull=not archived)
    chosen = DeploymentFilter(request.GET, queryset=rows, request=request)
    if request.GET.get("format") == "csv":
        return csv_answer("deployments", _CSV_COLUMNS, map(_csv_row, chosen.qs.newest_first().iterator()))
    found = list(_after_cursor(chosen.qs, request.GET.get("before", "")).newest_first()[: _PAGE_SIZE + 1])
    context = {
        "filter": chosen,
        "deployments": found[:_PAGE_SIZE],
        "older": _older(request, found[_PAGE_SIZE - 1]) if len(found) > _PAGE_SIZE else "",
        "is_first_page": "before" not in request.GET,
        "is_filtered": any(value for name, value in request.GET.items() if name != "before"),
        "archived": archived,
    }
    return render(request, "deployments/deployment_list.html", context)


def _csv_row(row: Deployment) -> list[object]:
    return [
        row.pk, row.deployed_at.isoformat(), row.application.name, row.application.repository.full_name,
        row.environment.name, row.version, row.commit_sha, row.state, row.change_kind, row.changes_count, row.author,
        "yes" if row.has_failed else "no", row.repaired_at and row.repaired_at.isoformat(),
        "yes" if row.is_rework else "no",
    ]  # fmt: skip


def _after_cursor(rows: Any, cursor: str) -> Any:
    """Return the rows after the last one of the page before: as fast on the thousandth page as on the first."""
    moment, _, number = cursor.rpartition("_")
    try:
        deployed_at = datetime.datetime.fromisoformat(moment)
        last = int(number)
    except ValueError:
        return rows
    if deployed_at.tzinfo is None or not 0 < last < 2**63:
        return rows
    return rows.filter(
        Q(deployed_at__lt=deployed_at) | Q(deployed_at=deployed_at, id__lt=last), deployed_at__lte=deployed_at
    )


def _older(request: HttpRequest, last: Deployment) -> str:
    query = [(name, value) for name, values in request.GET.lists() for value in values if name != "before"]
    return "?" + urlencode([*query, ("before", f"{last.deployed_at.isoformat()}_{last.pk}")])


def deployment_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what one deployment shipped and how that was worked out."""
    deployment = get_object_or_404(_visible(request), pk=pk)
    changes = deployment.changes.select_related("commit", "pull_request").order_by(
        "-commit__generation", "commit__sha"
    )
    limit = None if request.GET.get("all") == "yes" else 200
    context = {
        "deployment": deployment,
        "sources": [Deployment.Source(name).label for name in deployment.sources or [deployment.source]],
        "previous": deployment.previous() if deployment.counts else None,
        "changes": list(changes[:limit]),
        "more_changes": max(0, deployment.changes_count - limit) if limit else 0,
        "statuses": list(deployment.statuses.all()),
        "incidents": list(deployment.incidents_caused.filter(is_withdrawn=False)[:20]),
        "jobs": list(deployment.jobs.for_lists().order_by("created_at")[:20]),
        **verdict_context(deployment),
        "gaps": sorted(set(deployment.history_gaps.values_list("sha", flat=True)))[:10],
    }
    return render(request, "deployments/deployment_detail.html", context)


@require_POST
def archive(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a deployment out of the metrics."""
    recording.archive(get_object_or_404(_visible(request), pk=pk))
    ring_bell()
    return redirect("deployments:deployment", pk)


@require_POST
def restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring an archived deployment back."""
    recording.restore(get_object_or_404(_visible(request), pk=pk))
    ring_bell()
    return redirect("deployments:deployment", pk)
