"""What wants attention now: what waits longest to be deployed, and what has gone silent."""

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from deployments.models import Application, Track
from metrics.pages.selecting import address_of, chosen
from metrics.selections import Selection
from metrics.silence import Silence, silent_applications

_MOST_OF_EACH = 5


def attention(request: HttpRequest) -> HttpResponse:
    """Show the part of the overview that is fetched after it: it is about now, whatever the period."""
    selection, _ = chosen(request)
    silent = gone_silent(selection)
    context = {
        "waiting": waiting_longest(selection, _MOST_OF_EACH),
        "silent": silent[:_MOST_OF_EACH],
        "more_silent": max(0, len(silent) - _MOST_OF_EACH),
        "pending": _being_worked_out(selection),
        "address": address_of(selection),
    }
    return render(request, "metrics/_attention.html", context)


def _being_worked_out(selection: Selection) -> int:
    """Return on how many tracks everything is being worked out anew, after a change of rules or paths."""
    tracks = Track.objects.filter(application__workspace=selection.workspace)
    return tracks.filter(Q(rebuild_pending=True) | Q(judging_pending=True)).count()


def waiting_longest(selection: Selection, most: int = 10) -> list[tuple[Track, float]]:
    """Return the places of the selection in which a change has waited longest, and for how many seconds."""
    tracks = Track.objects.filter(environment__in=selection.environments, waiting_changes__gt=0)
    wanted = _chosen_applications(selection)
    if wanted is not None:
        tracks = tracks.filter(application__in=wanted)
    oldest = tracks.exclude(waiting_since=None).order_by("waiting_since", "id")
    now = timezone.now()
    rows = oldest.select_related("application", "environment")[:most]
    return [(row, (now - row.waiting_since).total_seconds()) for row in rows if row.waiting_since]


def gone_silent(selection: Selection) -> list[Silence]:
    """Return the applications of the selection that stopped reporting of production."""
    found = silent_applications(selection.workspace)
    wanted = _chosen_applications(selection)
    environments = {environment.pk for environment in selection.environments}
    return [
        row
        for row in found
        if row.environment.pk in environments and (wanted is None or row.application.pk in wanted)
    ]


def _chosen_applications(selection: Selection) -> set[int] | None:
    """Return the ids of the applications that the selection names, by whatever; None where it names none."""
    if not (selection.applications or selection.repositories or selection.teams):
        return None
    rows = Application.objects.filter(workspace=selection.workspace)
    if selection.applications:
        rows = rows.filter(pk__in=[application.pk for application in selection.applications])
    if selection.repositories:
        rows = rows.filter(repository__in=selection.repositories)
    if selection.teams:
        rows = rows.filter(teams__in=selection.teams)
    return set(rows.values_list("pk", flat=True))
