"""The overview: what managers open every morning."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from deployments.models import Deployment, RuleChange, Track, Workspace
from deployments.templatetags.durations import stage_bar
from metrics import charts
from metrics.export import report_as_csv
from metrics.goals import goals_of
from metrics.pages.cards import cards
from metrics.pages.selecting import chosen, compared, filter_form, in_words
from metrics.reports import Bucket, DoraReport, dora_report
from metrics.selections import Selection

_MOST_MARKS = 100


def overview(request: HttpRequest) -> HttpResponse:
    """Show the metrics, or how to send the first deployment."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    if not Deployment.objects.filter(workspace=workspace).exists():
        return render(request, "metrics/empty.html", {"base_url": _base_url(request)})
    selection, errors = chosen(request)
    report = dora_report(selection)
    if request.GET.get("format") == "csv":
        response = HttpResponse(report_as_csv(report), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="dora.csv"'
        return response
    other, other_errors = compared(request, selection)
    context = {
        **filter_form(request, selection, {**errors, **other_errors}),
        **_context(report, dora_report(other) if other else None),
    }
    return render(request, "metrics/overview.html", context)


def _base_url(request: HttpRequest) -> str:
    return settings.BASE_URL or request.build_absolute_uri("/").rstrip("/")


def _context(report: DoraReport, other: DoraReport | None) -> dict[str, Any]:
    selection = report.selection
    links = [_bucket_link(selection, bucket) for bucket in report.buckets]
    left_out = report.calendar.left_out(selection.period.first, selection.period.last)
    marks = _marks(selection)
    extras = {"marks": marks, "left_out": left_out, "other": other, "links": links}
    return {
        "report": report,
        "stage_bar": stage_bar(report.now.stages.means) if report.now.stages else [],
        "cards": cards(report, goals_of(selection), extras),
        "other_words": "" if other is None else in_words(other.selection),
        "other_period": None if other is None else other.selection.period,
        "words": in_words(selection),
        "marks": marks,
        "left_out": left_out,
        "rows": [
            (charts.bucket_label(bucket, selection.interval), bucket, link)
            for bucket, link in zip(report.buckets, links, strict=True)
        ],
        "running": _running(selection),
    }


def _marks(selection: Selection) -> list[tuple[Any, str]]:
    """Return the changes of rules during the period, for the charts: numbers before and after may differ by them."""
    period = selection.period
    rows = RuleChange.objects.filter(
        workspace=selection.workspace, created_at__gte=period.start, created_at__lt=period.end
    )
    return [(period.day_of(row.created_at), row.summary) for row in rows[:_MOST_MARKS]]


def _bucket_link(selection: Selection, bucket: Bucket) -> str:
    """Return the list of the deployments in a bucket."""
    period = selection.period
    query: list[tuple[str, Any]] = [
        ("from", max(bucket.start, period.first).isoformat()),
        ("to", bucket.last.isoformat()),
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
    if selection.teams:
        tracks = tracks.filter(application__teams__in=selection.teams).distinct()
    rows = Deployment.objects.running_on(tracks).select_related("application", "environment")
    return list(rows[:12])
