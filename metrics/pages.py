"""The overview: what managers open every morning."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse

from deployments.models import Application, Deployment, Environment, Repository, Track, Workspace
from metrics import charts
from metrics.export import report_as_csv
from metrics.periods import Interval, next_bucket
from metrics.reports import Bucket, DoraReport, dora_report
from metrics.selections import PRESETS, InvalidSelection, Selection, read_selection


def overview(request: HttpRequest) -> HttpResponse:
    """Show the metrics, or how to send the first deployment."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    if not Deployment.objects.filter(workspace=workspace).exists():
        return render(request, "metrics/empty.html", {"base_url": _base_url(request)})
    selection, errors = _selection_or_default(workspace, request.GET)
    report = dora_report(selection)
    if request.GET.get("format") == "csv":
        response = HttpResponse(report_as_csv(report), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="dora.csv"'
        return response
    return render(request, "metrics/overview.html", _context(report, errors))


def _base_url(request: HttpRequest) -> str:
    return settings.BASE_URL or request.build_absolute_uri("/").rstrip("/")


def _selection_or_default(workspace: Workspace, query: QueryDict) -> tuple[Selection, dict[str, str]]:
    """Return the selection of the address; where parts of it are wrong, one without them, and what was wrong."""
    try:
        return read_selection(workspace, query), {}
    except InvalidSelection as error:
        kept = query.copy()
        for name in error.errors:
            kept.pop(name, None)
        try:
            return read_selection(workspace, kept), error.errors
        except InvalidSelection:
            return read_selection(workspace, QueryDict()), error.errors


def _context(report: DoraReport, errors: dict[str, str]) -> dict[str, Any]:
    selection = report.selection
    workspace = selection.workspace
    links = [_bucket_link(selection, bucket) for bucket in report.buckets]
    return {
        "report": report,
        "selection": selection,
        "errors": errors,
        "presets": PRESETS.items(),
        "intervals": list(Interval),
        "environments": Environment.objects.filter(workspace=workspace),
        "applications": Application.objects.filter(workspace=workspace).values_list("name", flat=True).distinct(),
        "repositories": Repository.objects.filter(workspace=workspace),
        "frequency_figure": charts.frequency_figure(report, links),
        "lead_time_figure": charts.lead_time_figure(report),
        "rows": [
            (charts.bucket_label(bucket, selection.interval), bucket, link)
            for bucket, link in zip(report.buckets, links, strict=True)
        ],
        "running": _running(selection),
    }


def _bucket_link(selection: Selection, bucket: Bucket) -> str:
    """Return the list of the deployments in a bucket."""
    period = selection.period
    last = min(next_bucket(bucket.start, selection.interval) - timedelta(days=1), period.last)
    query: list[tuple[str, Any]] = [
        ("from", max(bucket.start, period.first).isoformat()),
        ("to", last.isoformat()),
        ("reached", "yes"),
    ]
    query += [("environment", environment.pk) for environment in selection.environments]
    query += [("application", application.pk) for application in selection.applications]
    query += [("repository", repository.pk) for repository in selection.repositories]
    return f"{reverse('deployments:deployments')}?{urlencode(query)}"


def _running(selection: Selection) -> list[Deployment]:
    """Return what runs where: the latest deployment of the tracks of the selection, the newest first."""
    tracks = Track.objects.filter(environment__in=selection.environments)
    if selection.applications:
        tracks = tracks.filter(application__in=selection.applications)
    if selection.repositories:
        tracks = tracks.filter(application__repository__in=selection.repositories)
    rows = Deployment.objects.running_on(tracks).select_related("application", "environment")
    return list(rows[:12])
