"""Reads what happened on days from the rows themselves: what rollups are made of, and what they are held against."""

import bisect
import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import F, QuerySet, Value
from django.db.models.functions import Coalesce, NullIf

from deployments.models import Change, ChangeKind, Deployment
from deployments.names import name_key
from metrics.packing import ChangeMark, DayDetail, Integers, Mark, detail_of, integers
from metrics.periods import start_of_day

Place = tuple[int, datetime.date]  # an environment's id and a day
_ONE_DAY = datetime.timedelta(days=1)
# Kinds that bring nothing new by their nature: there is nothing to measure on them.
_WITHOUT_CHANGES = {ChangeKind.BASELINE.value, ChangeKind.REDEPLOY.value, ChangeKind.ROLLBACK.value}
_KIND_MARKS = {ChangeKind.BASELINE.value: Mark.BASELINE, ChangeKind.REDEPLOY.value: Mark.REDEPLOY}
_DEPLOYMENT_COLUMNS = (
    "id", "environment_id", "deployed_at", "application_id", "author", "change_kind", "reached_environment",
    "has_failed", "is_rework", "repaired_at", "history_is_complete", "changes_count",
)  # fmt: skip
_CHANGE_COLUMNS = (
    "deployment_id", "lead_time_seconds", "clock_was_ahead", "pull_request_id", "by_bot", "by", "coding_seconds",
    "draft_seconds", "waiting_for_review_seconds", "review_seconds", "waiting_for_deployment_seconds",
)  # fmt: skip


def runs(days: Iterable[datetime.date]) -> list[tuple[datetime.date, datetime.date]]:
    """Return days as runs of days without a gap, from the first to the last of each."""
    found: list[tuple[datetime.date, datetime.date]] = []
    for day in sorted(set(days)):
        if found and day == found[-1][1] + _ONE_DAY:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def read_days(
    environment_ids: Sequence[int],
    days: Sequence[datetime.date],
    zone: ZoneInfo,
    bot_names: Iterable[str],
    applications: Collection[int] | None = None,
) -> "RawDays":
    """Return what happened in environments on days, of all applications or of some.

    Causes two queries, however many days and rows there are.
    """
    found = RawDays(zone, frozenset(bot_names))
    if environment_ids and days:
        found.days = sorted(set(days))
        found.starts = [start_of_day(day, zone) for day in found.days]
        wanted: dict[str, Any] = {"environment__in": environment_ids}
        if applications is not None:
            wanted["application__in"] = applications
        for row in sorted(_deployments(wanted, days, zone), key=itemgetter(3, 0)):  # by application and id
            found.add_deployment(*row)
        for row in _changes(wanted, days, zone):
            found.add_change(row)
    return found


def _deployments(
    wanted: Mapping[str, Any], days: Sequence[datetime.date], zone: ZoneInfo
) -> Iterable[tuple[Any, ...]]:
    live = Deployment.objects.live().filter(**wanted)
    # Each part has an index of its own; one condition with OR has none.
    parts = [
        kind.during(start_of_day(first, zone), start_of_day(last + _ONE_DAY, zone)).values_list(*_DEPLOYMENT_COLUMNS)
        for first, last in runs(days)
        for kind in (live.filter(reached_environment=True), live.filter(reached_environment=False, has_failed=True))
    ]
    return parts[0].union(*parts[1:], all=True)


def _changes(wanted: Mapping[str, Any], days: Sequence[datetime.date], zone: ZoneInfo) -> Iterable[tuple[Any, ...]]:
    author = Coalesce(NullIf("pull_request__author", Value("")), "commit__author")
    rows = Change.objects.filter(
        **{f"deployment__{name}": value for name, value in wanted.items()},
        deployment__reached_environment=True,
        deployment__archived_at=None,
    ).annotate(by=author, by_bot=F("pull_request__author_is_bot"))
    parts: list[QuerySet[Change, Any]] = [
        rows.filter(
            deployment__deployed_at__gte=start_of_day(first, zone),
            deployment__deployed_at__lt=start_of_day(last + _ONE_DAY, zone),
        ).values_list(*_CHANGE_COLUMNS)
        for first, last in runs(days)
    ]
    return parts[0].union(*parts[1:], all=True)


@dataclass
class RawDays:
    """What happened on days, environment by environment, as it is read."""

    zone: ZoneInfo
    bot_names: frozenset[str]
    days: list[datetime.date] = field(default_factory=list)
    starts: list[datetime.datetime] = field(default_factory=list)
    # The people that were met, by the keys of their names.
    names: dict[str, str] = field(default_factory=dict)
    _places: "dict[Place, _Columns]" = field(default_factory=dict)
    _of_deployment: "dict[int, tuple[_Columns, int]]" = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[Place, DayDetail]]:
        for place, columns in self._places.items():
            yield place, columns.detail()

    def add_deployment(
        self,
        pk: int,
        environment_id: int,
        deployed_at: datetime.datetime,
        application_id: int,
        author: str,
        kind: str,
        reached: bool,
        has_failed: bool,
        is_rework: bool,
        repaired_at: datetime.datetime | None,
        is_complete: bool,
        changes: int,
    ) -> None:
        """Take a deployment that reached its environment, or an attempt that failed."""
        day = self.days[bisect.bisect_right(self.starts, deployed_at) - 1]
        columns = self._places.setdefault((environment_id, day), _Columns())
        mark = _KIND_MARKS.get(kind, 0) | (Mark.REACHED if reached else 0) | (Mark.REWORK if is_rework else 0)
        failure = 0
        if has_failed:
            mark |= Mark.FAILED
            mark &= ~Mark.REDEPLOY
            if repaired_at is None:
                mark |= Mark.OPEN
                failure = int(deployed_at.timestamp())
            else:
                failure = int((repaired_at - deployed_at).total_seconds())
        if is_rework:
            mark &= ~Mark.REDEPLOY
        if kind not in _WITHOUT_CHANGES:
            mark |= Mark.EXPECTED
            if not is_complete and not changes:
                mark |= Mark.WITHOUT_COMMITS
        self._of_deployment[pk] = (columns, len(columns.deployments))
        columns.deployments.append((application_id, self._key(author), mark, failure))

    def add_change(self, row: tuple[Any, ...]) -> None:
        """Take a change; one whose deployment came after the deployments were read is left for the next reading."""
        deployment_id, lead, clock_was_ahead, pull_request_id, by_bot, author, *stages = row
        found = self._of_deployment.get(deployment_id)
        if found is None:
            return
        columns, place = found
        key = self._key(author)
        mark = 0
        if by_bot or key.endswith("[bot]") or key in self.bot_names:
            mark |= ChangeMark.BOT
        if clock_was_ahead:
            mark |= ChangeMark.CLOCK_AHEAD
        if lead is None:
            mark |= ChangeMark.WITHOUT_START
        is_staged = lead is not None and pull_request_id is not None and None not in stages
        if is_staged:
            mark |= ChangeMark.STAGED
        columns.changes.append((place, key, mark, lead or 0, tuple(stages) if is_staged else ()))

    def _key(self, name: str) -> str:
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = name_key(name).replace("\n", " ")
            self.names.setdefault(key, name.strip())
        return key


@dataclass
class _Columns:
    """One environment and day, row by row, until all are there."""

    deployments: list[tuple[int, str, int, int]] = field(default_factory=list)
    changes: list[tuple[int, str, int, int, tuple[int, ...]]] = field(default_factory=list)

    def detail(self) -> DayDetail:
        """Return the rows as columns. The same rows are the same columns, in whatever order they were read."""
        changes = sorted(self.changes)
        keys = sorted({row[1] for row in self.deployments} | {row[1] for row in changes})
        places = {key: place for place, key in enumerate(keys)}
        stages = [row[4] for row in changes if row[4]]
        columns = [
            *_transposed([(row[0], places[row[1]], row[2], row[3]) for row in self.deployments], 4),
            *_transposed([(row[0], places[row[1]], row[2], row[3]) for row in changes], 4),
            *_transposed(stages, 5),
        ]
        return detail_of(keys, columns)


def _transposed(rows: Sequence[Sequence[int]], width: int) -> list[Integers]:
    return [integers(row[place] for row in rows) for place in range(width)]
