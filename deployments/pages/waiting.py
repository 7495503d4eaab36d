"""What is merged and not deployed: which applications, how much, since when."""

import datetime
from dataclasses import dataclass, field

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from deployments import waiting
from deployments.csv_files import csv_answer
from deployments.models import Deployment, Track, Workspace
from deployments.waiting import WaitingChange

# Of the applications that wait longest the oldest changes are shown at once; each costs a walk through the commits.
_SHOWN_WITH_CHANGES = 5
_OLDEST = 3
_MOST_CHANGES = 200
_CSV_COLUMNS = [
    "app", "repository", "environment", "waitingChanges", "isMoreThanKnown", "waitingSince", "waitingSeconds",
    "runningVersion", "runningCommit", "runningSince",
]  # fmt: skip


@dataclass
class _Row:
    """One track with what runs on it, and with what runs in the other environments of its application."""

    track: Track
    running: Deployment
    elsewhere: "list[_Row]" = field(default_factory=list)
    oldest: list[WaitingChange] = field(default_factory=list)
    now: datetime.datetime = field(default_factory=timezone.now)

    @property
    def seconds(self) -> float | None:
        """How long the first change has been waiting."""
        since = self.track.waiting_since
        return None if since is None else max(0.0, (self.now - since).total_seconds())

    @property
    def words(self) -> str:
        """How much waits."""
        number = self.track.waiting_changes
        if number is None:
            return ""
        if waiting.is_more_than_known(number):
            return f"more than {waiting.MOST_COMMITS:,} commits"
        return "1 change" if number == 1 else f"{number:,} changes"


def waiting_list(request: HttpRequest) -> HttpResponseBase:
    """List the applications in production with what waits for each, the longest wait first."""
    rows = _rows(request.workspace)  # type: ignore[attr-defined]
    if request.GET.get("format") == "csv":
        return csv_answer("waiting", _CSV_COLUMNS, map(_csv_row, rows))
    for row in rows[:_SHOWN_WITH_CHANGES]:
        if row.track.waiting_changes:
            row.oldest = waiting.waiting_on(row.track, _OLDEST)
    return render(request, "deployments/waiting_list.html", {"rows": rows})


def _csv_row(row: _Row) -> list[object]:
    track, running = row.track, row.running
    return [
        track.application.name, track.application.repository.full_name, track.environment.name,
        track.waiting_changes, "yes" if waiting.is_more_than_known(track.waiting_changes) else "no",
        track.waiting_since and track.waiting_since.isoformat(), row.seconds and int(row.seconds),
        running.version, running.commit_sha, running.deployed_at.isoformat(),
    ]  # fmt: skip


def waiting_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """List the changes that wait for one application in one environment."""
    tracks = Track.objects.select_related("application__repository", "environment")
    track = get_object_or_404(tracks, pk=pk, application__workspace=request.workspace)  # type: ignore[attr-defined]
    running = Deployment.objects.running_on(Track.objects.filter(pk=pk)).first()
    now = timezone.now()
    changes = waiting.waiting_on(track, _MOST_CHANGES)
    context = {
        "row": None if running is None else _Row(track, running),
        "track": track,
        "changes": [(change, change.since and (now - change.since).total_seconds()) for change in changes],
        "most": _MOST_CHANGES,
    }
    return render(request, "deployments/waiting_detail.html", context)


def _rows(workspace: Workspace) -> list[_Row]:
    """Return the production tracks, or all of an application that has none, with the others beside them."""
    tracks = Track.objects.filter(application__workspace=workspace)
    known = {track.pk: track for track in tracks.select_related("application__repository", "environment")}
    of_application: dict[int, list[_Row]] = {}
    for running in Deployment.objects.running_on(tracks):
        track = known[running.track_id]
        of_application.setdefault(track.application_id, []).append(_Row(track, running))
    rows: list[_Row] = []
    for mine in of_application.values():
        in_production = [row for row in mine if row.track.environment.is_production]
        others = [row for row in mine if not row.track.environment.is_production]
        for row in in_production:
            row.elsewhere = others
        rows += in_production or others
    return sorted(rows, key=_longest_first)


def _longest_first(row: _Row) -> tuple[bool, bool, float, str]:
    """Those of which nobody knows what waits come last, before them those for which nothing waits."""
    return (
        row.track.waiting_changes is None,
        not row.track.waiting_changes,
        -(row.seconds or 0),
        row.track.application.name,
    )
