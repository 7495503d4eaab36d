"""The review of a month or a quarter, for print, with the manager's note."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from deployments.models import Application, Environment, Team, Workspace
from metrics.levels import NOTE_2025
from metrics.models import ReviewNote
from metrics.pages.selecting import in_words
from metrics.periods import Interval
from metrics.reviews import InvalidSpan, Review, Span, read_span, review, today_in
from metrics.selections import InvalidSelection, Selection, read_selection

_PLACES = ("environment", "app", "team")
_SPANS_TO_CHOOSE = {1: 24, 3: 8}


class NoteForm(forms.Form):
    """Asks for what there is to say beside the numbers."""

    text = forms.CharField(
        label="Note", required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 6, "maxlength": 10_000})
    )


def review_page(request: HttpRequest) -> HttpResponse:
    """Show the review of a month or quarter, and save its note."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    span, errors = _span(workspace, request.GET)
    selection, more_errors = _selection(workspace, request.GET)
    form = NoteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        _save_note(request, workspace, span, form.cleaned_data["text"].strip())
        return redirect(f"{reverse('metrics:review')}?{_query(span, selection)}")
    shown = review(selection, span)
    if request.method != "POST":
        form = NoteForm(initial={"text": shown.note.text if shown.note else ""})
    context = {
        **_choices(workspace, span, selection),
        "review": shown,
        "period": shown.report.selection.period,
        "errors": {**errors, **more_errors},
        "words": in_words(selection),
        "form": form,
        "previous": _query(span.moved(-1), selection),
        "following": _query(span.moved(1), selection) if span.moved(1).first <= today_in(workspace) else "",
        "level": _source(shown),
        "trap_notes": [
            f"{figure.title}: {figure.level.trap}" for figure in shown.figures if figure.level and figure.level.trap
        ],
    }
    return render(request, "metrics/review.html", context)


def _span(workspace: Workspace, query: QueryDict) -> tuple[Span, dict[str, str]]:
    month, quarter = query.get("month", "").strip(), query.get("quarter", "").strip()
    try:
        return read_span(workspace, month, quarter), {}
    except InvalidSpan as error:
        return read_span(workspace, "", ""), {"quarter" if quarter else "month": str(error)}


def _selection(workspace: Workspace, query: QueryDict) -> tuple[Selection, dict[str, str]]:
    """Return what the review is narrowed down to; the span sets the period."""
    asked = QueryDict(mutable=True)
    asked["interval"] = Interval.MONTH.value
    errors: dict[str, str] = {}
    for name in _PLACES:
        if query.getlist(name):
            asked.setlist(name, query.getlist(name))
    try:
        return read_selection(workspace, asked), errors
    except InvalidSelection as error:
        for name in error.errors:
            asked.pop(name, None)
        return read_selection(workspace, asked), error.errors


def _query(span: Span, selection: Selection) -> str:
    """Return the query string of the review of a span over the same places."""
    pairs = [span.key]
    if not all(environment.is_production for environment in selection.environments):
        pairs += [("environment", environment.name) for environment in selection.environments]
    pairs += [("app", application.name) for application in selection.applications]
    pairs += [("team", team.name) for team in selection.teams]
    return urlencode(pairs)


def _choices(workspace: Workspace, span: Span, selection: Selection) -> dict[str, Any]:
    """Return what the form above the review offers."""
    today = today_in(workspace)
    current = Span(today.replace(month=today.month - (today.month - 1) % span.months, day=1), span.months)
    spans = {current.moved(-place) for place in range(_SPANS_TO_CHOOSE[span.months])} | {span}
    quarter = Span(span.first.replace(month=span.first.month - (span.first.month - 1) % 3), 3)
    return {
        "spans": [(*one.key, one.name, one == span) for one in sorted(spans, reverse=True)],
        "span_parameter": span.key[0],
        "as_month": _query(Span(span.first, 1), selection),
        "as_quarter": _query(quarter, selection),
        "is_month": span.months == 1,
        "environments": Environment.objects.filter(workspace=workspace),
        "applications": Application.objects.filter(workspace=workspace).values_list("name", flat=True).distinct(),
        "teams": Team.objects.filter(workspace=workspace),
    }


def _source(shown: Review) -> str:
    """Return whose levels the review names."""
    workspace = shown.report.selection.workspace
    if workspace.report_year == 2025:
        return NOTE_2025
    source = next((figure.level.source for figure in shown.figures if figure.level), "")
    return f"Levels: {source}." if source else ""


def _save_note(request: HttpRequest, workspace: Workspace, span: Span, text: str) -> None:
    place: dict[str, Any] = {"workspace": workspace, "first_day": span.first, "last_day": span.last}
    if text:
        written = {"text": text, "written_by": request.user, "written_at": timezone.now()}
        ReviewNote.objects.update_or_create(**place, defaults=written)
        messages.success(request, "The note is saved.")
    else:
        ReviewNote.objects.filter(**place).delete()
        messages.success(request, "There is no note any more.")
