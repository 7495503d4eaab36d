"""Why the lead time changed: the move split into stages and applications, what waits now, and who has gone silent."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from deployments.csv_files import csv_answer
from metrics.models import Metric
from metrics.pages.attention import gone_silent, waiting_longest
from metrics.pages.selecting import chosen, filter_form, in_words
from metrics.reasons import Move, Part, Why, reasons, why
from metrics.reports import dora_report
from metrics.wording import change_in_words

_APPLICATIONS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One application of the table."""

    pk: int
    name: str
    part: Part


def why_changed(request: HttpRequest) -> HttpResponseBase:
    """Show why the lead time of the selection is another than in the period before."""
    selection, errors = chosen(request)
    found = why(selection)
    if request.GET.get("format") == "csv":
        return _csv(found)
    report = dora_report(selection)
    context = {
        **filter_form(request, selection, errors),
        "report": report,
        "previous": selection.period.previous(),
        "words": in_words(selection),
        "why": found,
        "median_change": change_in_words(Metric.CHANGE_LEAD_TIME, report.comparisons[Metric.CHANGE_LEAD_TIME]),
        **_tables(found),
        "waiting": waiting_longest(selection),
        "silent": gone_silent(selection),
    }
    return render(request, "metrics/why.html", context)


def _csv(found: Why) -> HttpResponseBase:
    """Return the tables by application as one, in seconds."""
    told = reasons(found.move) if found.move else []
    columns = ["app", "changesBefore", "changesNow", "meanBefore", "meanNow", "slower", "mix", "together"]
    rows = (
        [
            row.name, row.part.before.changes, row.part.now.changes,
            *map(_whole, (row.part.before.mean, row.part.now.mean, row.part.slower, row.part.mix, row.part.total)),
            *(_whole(reason.by_application[row.pk]) for reason in told),
        ]
        for row in (_rows(found.move, found.names) if found.move else [])
    )  # fmt: skip
    return csv_answer("lead-time-change", [*columns, *(_camel(reason.label) for reason in told)], rows)


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


def _camel(label: str) -> str:
    first, *others = label.split()
    return first + "".join(word.capitalize() for word in others)


def _tables(found: Why) -> dict[str, Any]:
    if found.move is None:
        return {}
    rows = _rows(found.move, found.names)
    # A stage that nothing ever spent time in is no reason.
    told = [reason for reason in reasons(found.move) if reason.before or reason.now or abs(reason.total) >= 0.5]
    shown, others = rows[:_APPLICATIONS_SHOWN], rows[_APPLICATIONS_SHOWN:]
    return {
        "reasons": told,
        "rows": shown,
        "others": others,
        "others_make": sum(row.part.total for row in others),
        "matrix": [(row.name, [reason.by_application[row.pk] for reason in told]) for row in rows],
    }


def _rows(move: Move, names: dict[int, str]) -> list[Row]:
    """Return the applications, those first that make most of the move in either direction."""
    rows = [Row(key, names[key], part) for key, part in move.parts.items()]
    return sorted(rows, key=lambda row: (-abs(row.part.total), row.name.casefold(), row.pk))
