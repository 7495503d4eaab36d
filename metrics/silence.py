"""Finds applications that stopped reporting: their CI may have broken without anybody having noticed.

An application is silent where it reported at least five deployments, and then none for more than three times its
usual gap and for at least five days. The usual gap is the 90th percentile of those between days with deployments.
Days that do not count in the workspace's calendar count neither in gaps nor in silence.
"""

import datetime
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import TruncDate
from django.utils import timezone

from deployments.models import Application, Deployment, Environment, Track, Workspace
from deployments.units import frequency
from metrics.dora import spread
from metrics.workdays import Calendar

_LOOKED_AT = datetime.timedelta(days=180)
_FEWEST_DEPLOYMENTS = 5
_FEWEST_DAYS = 5
_USUAL_GAPS = 3
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often something was reported until it fell silent, and for how many days, of which how many count."""

    per_week: float
    silent_days: int
    counted_days: int


@dataclass(frozen=True, slots=True)
class Silence:
    """An application that stopped reporting of a production environment."""

    application: Application
    environment: Environment
    per_week: float
    last_at: datetime.datetime
    silent_days: int

    @property
    def words(self) -> str:
        """What there is to say of it."""
        return f"used to report {frequency(self.per_week / 7)}, nothing for {self.silent_days} days"


def silence_of(days: Mapping[datetime.date, int], today: datetime.date, calendar: Calendar) -> Pace | None:
    """Return the pace of what fell silent, given how many deployments each day had; None where it is not silent."""
    ordered = sorted(days)
    if sum(days.values()) < _FEWEST_DEPLOYMENTS or len(ordered) < 2:
        return None
    gaps = [calendar.counted_days(day + _DAY, following) for day, following in itertools.pairwise(ordered)]
    usual = spread([np.array(sorted(gaps), dtype=np.int64)]).p90
    first, last = ordered[0], ordered[-1]
    counted = calendar.counted_days(last + _DAY, today)
    if usual is None or counted < _FEWEST_DAYS or counted <= _USUAL_GAPS * usual:
        return None
    weeks = max(1.0, ((last - first).days + 1) / 7)
    return Pace(sum(days.values()) / weeks, (today - last).days, counted)


def silent_applications(workspace: Workspace, now: datetime.datetime | None = None) -> list[Silence]:
    """Return the applications that stopped reporting of production, the longest silence first.

    Failed deployments are reports too. What was silent for half a year is taken for retired. Causes three queries.
    """
    now = now or timezone.now()
    today = now.astimezone(workspace.zone).date()
    tracks = {track.pk: track for track in _quiet_tracks(workspace, now, today)}
    freezes = workspace.freeze_periods.values_list("first_day", "last_day", "reason")
    calendar = Calendar(frozenset(workspace.working_days), tuple(freezes))
    found = []
    for track_id, days in _days_of(workspace, list(tracks), now).items():
        pace, track = silence_of(days, today, calendar), tracks[track_id]
        if pace is not None:
            found.append(
                Silence(track.application, track.environment, pace.per_week, track.last_at, pace.silent_days)
            )
    return sorted(found, key=lambda one: (one.last_at, one.application.name))


def _quiet_tracks(workspace: Workspace, now: datetime.datetime, today: datetime.date) -> list[Any]:
    """Return the production tracks that may be silent: most reported lately, and their deployments are not read."""
    newest = Deployment.objects.live().filter(track=OuterRef("pk")).newest_first().values("deployed_at")[:1]
    long_enough = datetime.datetime.combine(today - (_FEWEST_DAYS - 1) * _DAY, datetime.time(), workspace.zone)
    tracks = Track.objects.filter(application__workspace=workspace, environment__is_production=True)
    quiet = tracks.annotate(last_at=Subquery(newest)).filter(last_at__gte=now - _LOOKED_AT, last_at__lt=long_enough)
    return list(quiet.select_related("application", "environment"))


def _days_of(
    workspace: Workspace, track_ids: list[int], now: datetime.datetime
) -> dict[int, dict[datetime.date, int]]:
    """Return how many deployments each day had, by track."""
    rows = Deployment.objects.live().filter(track__in=track_ids, deployed_at__gte=now - _LOOKED_AT)
    by_day = rows.annotate(day=TruncDate("deployed_at", tzinfo=workspace.zone)).values("track", "day")
    found: dict[int, dict[datetime.date, int]] = {}
    for track_id, day, number in by_day.annotate(number=Count("pk")).values_list("track", "day", "number").order_by():
        found.setdefault(track_id, {})[day] = number
    return found
