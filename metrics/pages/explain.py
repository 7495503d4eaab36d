"""How a number came about: the arithmetic, and the rows behind it."""

from typing import Any

from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from deployments.csv_files import as_csv
from deployments.models import Change, Deployment
from metrics.explanations import Section, explain
from metrics.models import Metric
from metrics.pages.cards import cards, slug_of
from metrics.pages.selecting import chosen, filter_form, in_words
from metrics.reports import dora_report

_ROWS_OF_EACH = 25
_ROWS_A_PAGE = 100
_METRICS = {slug_of(metric): metric for metric in Metric}
_MOST_CSV_ROWS = 100_000


def explanation(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the rows that went into a figure, those left out and why, and the arithmetic."""
    metric = _METRICS.get(slug)
    if metric is None:
        raise Http404
    selection, errors = chosen(request)
    report = dora_report(selection)
    explained = explain(report, metric)
    wanted = [section for section in explained.sections if section.key == request.GET.get("section")]
    if wanted and request.GET.get("format") == "csv":
        return _csv(wanted[0], slug)
    context = {
        **filter_form(request, selection, errors),
        "report": report,
        "explained": explained,
        "card": next(card for card in cards(report, {}, {}) if card.metric is metric),
        "metrics": [(slug_of(other), other.label, other is metric) for other in Metric],
        "words": in_words(selection),
        "sections": [_shown(section, request, whole=bool(wanted)) for section in wanted or explained.sections],
        "one": bool(wanted),
    }
    return render(request, "metrics/explain.html", context)


def _shown(section: Section, request: HttpRequest, *, whole: bool) -> dict[str, Any]:
    pages: Paginator[Any] = Paginator(section.rows, _ROWS_A_PAGE if whole else _ROWS_OF_EACH)  # type: ignore[arg-type]
    page: Page[Any] = pages.get_page(request.GET.get("page") if whole else 1)
    return {"section": section, "page": page, "count": pages.count}


def _csv(section: Section, slug: str) -> HttpResponse:
    rows = section.rows[:_MOST_CSV_ROWS]
    if section.kind == "changes":
        columns = [
            "change",
            "title",
            "author",
            "application",
            "environment",
            "deployment",
            "startedAt",
            "leadTimeSeconds",
        ]
        text = as_csv(columns, (_change(row) for row in rows if isinstance(row, Change)))
    else:
        columns = [
            "deployment", "application", "environment", "version", "commit", "author", "deployedAt", "state",
            "changeKind", "failed", "repairedAt", "recoverySeconds", "rework",
        ]  # fmt: skip
        text = as_csv(columns, (_deployment(row) for row in rows if isinstance(row, Deployment)))
    response = HttpResponse(text, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slug}-{section.key}.csv"'
    return response


def _change(change: Change) -> list[object]:
    pull_request = change.pull_request
    return [
        f"#{pull_request.number}" if pull_request else change.commit.sha,
        pull_request.title if pull_request else change.commit.subject,
        pull_request.author if pull_request else change.commit.author,
        change.deployment.application.name,
        change.deployment.environment.name,
        change.deployment_id,
        change.started_at and change.started_at.isoformat(),
        change.lead_time_seconds,
    ]


def _deployment(deployment: Deployment) -> list[object]:
    repaired = deployment.repaired_at if deployment.has_failed else None
    return [
        deployment.pk,
        deployment.application.name,
        deployment.environment.name,
        deployment.version,
        deployment.commit_sha,
        deployment.author,
        deployment.deployed_at.isoformat(),
        deployment.state,
        deployment.change_kind,
        "yes" if deployment.has_failed else "no",
        repaired and repaired.isoformat(),
        repaired and round((repaired - deployment.deployed_at).total_seconds()),
        "yes" if deployment.is_rework else "no",
    ]
