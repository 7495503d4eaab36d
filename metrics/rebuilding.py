"""Builds rollups from their rows: never incremented, always recomputed, a few days in each short transaction."""

import datetime
import hashlib
import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max, Min

from deployments.models import Deployment, Environment, Workspace
from metrics import bases, stale
from metrics.bases import Bases
from metrics.models import Author, DayRollup, RollupBasis, StaleHour
from metrics.packing import (
    NOTHING,
    DayDetail,
    everything,
    pack_detail,
    pack_numbers,
    replace_applications,
    unpack_detail,
)
from metrics.periods import day_of, days_between, start_of_day
from metrics.raw_days import Place, RawDays, read_days

# What one transaction takes on: on SQLite nobody else can write meanwhile.
_HOURS_AT_ONCE = 200
_DAYS_AT_ONCE = 4
_DEPLOYMENTS_AT_ONCE = 2_000
_ONE_DAY = datetime.timedelta(days=1)

Show = Callable[[str, int, int], None]


def rebuild(*, stop_after: float | None = None) -> bool:
    """Build what is stale in all workspaces, and tell whether something was left because the time was over."""
    began = time.monotonic()
    stale.forget_orphans()
    for workspace_id in workspaces_with_work():
        while rebuild_some(workspace_id):
            _let_others_write()
            if stop_after is not None and time.monotonic() - began > stop_after:
                return True
    return False


def plan_days(workspace: Workspace, first: datetime.date | None, last: datetime.date | None) -> None:
    """Have days built anew: all that have deployments or rollups where no limits are given."""
    with transaction.atomic():
        held = bases.hold(workspace, wait=True)
        for basis in held or ():
            known = DayRollup.objects.filter(basis=basis).aggregate(first=Min("day"), last=Max("day"))
            days = [*(bases.days_of_history(workspace, bases.zone_of(basis)) or ())]
            days += [day for day in known.values() if day is not None]
            if days and (first or min(days)) <= (last or max(days)):
                bases.plan(basis, first or min(days), last or max(days))
                basis.save()


def rebuild_workspace(workspace: Workspace, show: Show) -> int:
    """Build all that is stale in a workspace, showing how far it is, and return how many days that were."""
    done, total = 0, _left(workspace)
    while rebuild_some(workspace.pk, wait=True):
        left = _left(workspace)
        total = max(total, done + left)
        done = total - left
        show("days", done, total)
        _let_others_write()
    return done


def _left(workspace: Workspace) -> int:
    rows = RollupBasis.objects.filter(workspace=workspace)
    hours = StaleHour.objects.filter(environment__workspace=workspace).values("environment", "hour").distinct()
    return sum(bases.days_left(basis) for basis in rows) + hours.count()


def _let_others_write() -> None:
    """Leave a gap between transactions on SQLite, whose waiting writers ask again only now and then."""
    if connection.vendor == "sqlite":
        time.sleep(settings.SLIPWAY_SQLITE_GAP_SECONDS)


def workspaces_with_work() -> list[UUID]:
    """Return the ids of the workspaces that have stale days, other settings than their rollups, or no rollups yet."""
    marked = Environment.objects.filter(pk__in=StaleHour.objects.values("environment_id"))
    found = set(marked.values_list("workspace_id", flat=True))
    known = defaultdict[UUID, list[RollupBasis]](list)
    for basis in RollupBasis.objects.all():
        known[basis.workspace_id].append(basis)
    for workspace in Workspace.objects.only("time_zone", "bot_names"):
        own = known[workspace.pk]
        if not own:
            is_behind = Deployment.objects.filter(workspace=workspace).exists()
        else:
            is_behind = len(own) > 1 or bool(bases.days_left(own[0])) or not bases.fits(own[0], workspace)
        if is_behind:
            found.add(workspace.pk)
    return sorted(found)


def rebuild_some(workspace_id: UUID, *, wait: bool = False) -> bool:
    """Build a few stale days of a workspace in one transaction, and tell whether there were any.

    Where somebody else is building them, there is nothing to do for us, unless we are to wait.
    """
    with transaction.atomic():
        workspace = Workspace.objects.filter(pk=workspace_id).first()
        held = bases.hold(workspace, wait=wait) if workspace is not None else None
        if workspace is None or held is None:
            return False
        return _build_marked(workspace, held) or _build_planned(workspace, held)


def _build_marked(workspace: Workspace, held: Bases) -> bool:
    """Build the days of the latest marks. The marks are read before the rows: what comes later is marked anew."""
    marks = StaleHour.objects.filter(environment__workspace=workspace)
    latest = marks.order_by("-hour", "environment_id").values_list("environment_id", "hour").distinct()
    taken = _some_days(latest[:_HOURS_AT_ONCE], held)
    if not taken:
        return False
    rows = marks.filter(hour__in={hour for _, hour in taken})
    marked = [row for row in rows.values_list("id", "environment_id", "hour", "application_id") if row[1:3] in taken]
    for basis in held:
        unmended = defaultdict[int, list[datetime.date]](list)
        for (environment_id, day), applications in _places(basis, marked).items():
            if applications is None or not _mend(basis, (environment_id, day), applications):
                unmended[environment_id].append(day)
        for environment_id, days in unmended.items():
            _build(basis, [environment_id], sorted(days), trust=True)
    stale.take_back(row[0] for row in marked)
    return True


def _places(
    basis: RollupBasis, marked: Iterable[tuple[int, int, datetime.datetime, int | None]]
) -> dict[Place, set[int] | None]:
    """Return the days of marks, with the applications of which something has changed; None stands for all."""
    zone = bases.zone_of(basis)
    found: dict[Place, set[int] | None] = {}
    for _, environment_id, hour, application_id in marked:
        for day in stale.days_of([hour], zone):
            applications = found.setdefault((environment_id, day), set())
            if application_id is None:
                found[environment_id, day] = None
            elif applications is not None:
                applications.add(application_id)
    return found


def _some_days(hours: Iterable[stale.Hour], held: Bases) -> set[stale.Hour]:
    """Return as many of the marked hours as belong to few days."""
    zone = bases.zone_of(held.active)
    taken, places = set[stale.Hour](), set[Place]()
    for environment_id, hour in hours:
        place = (environment_id, day_of(hour, zone))
        if place not in places and len(places) == _DAYS_AT_ONCE:
            continue
        places.add(place)
        taken.add((environment_id, hour))
    return taken


def _build_planned(workspace: Workspace, held: Bases) -> bool:
    """Build the latest of the days that have still to be built; a basis that is complete then becomes active."""
    for basis in held:
        if basis.first_day_to_do is not None and basis.last_day_to_do is not None:
            first = _first_of_batch(basis, basis.first_day_to_do, basis.last_day_to_do)
            environments = list(Environment.objects.filter(workspace=workspace).values_list("pk", flat=True))
            _build(basis, environments, days_between(first, basis.last_day_to_do), trust=False)
            _note_done(basis, first)
            return True
    if held.coming is not None:
        bases.switch(held)
        return True
    return False


def _first_of_batch(basis: RollupBasis, first: datetime.date, last: datetime.date) -> datetime.date:
    """Return from which day on there are about as many deployments as one transaction takes on."""
    zone = bases.zone_of(basis)
    until = Deployment.objects.filter(
        workspace=basis.workspace_id, deployed_at__lt=start_of_day(last + _ONE_DAY, zone)
    )
    moments = until.newest_first().values_list("deployed_at", flat=True)
    beyond = moments[_DEPLOYMENTS_AT_ONCE : _DEPLOYMENTS_AT_ONCE + 1].first()
    return first if beyond is None else min(last, max(first, day_of(beyond, zone) + _ONE_DAY))


def _note_done(basis: RollupBasis, first: datetime.date) -> None:
    if basis.first_day_to_do == first:
        basis.first_day_to_do = basis.last_day_to_do = None
        basis.days_to_do = 0
    else:
        basis.last_day_to_do = first - _ONE_DAY
    basis.save(update_fields=["first_day_to_do", "last_day_to_do", "days_to_do"])


def _build(basis: RollupBasis, environment_ids: list[int], days: list[datetime.date], *, trust: bool) -> None:
    """Store what happened in environments on days, as their rows say now.

    A rollup that says so already is left as it is, unless we are not to trust what it seems to say.
    """
    found = read_days(environment_ids, days, bases.zone_of(basis), basis.bot_names)
    details = dict(found)
    rows = DayRollup.objects.filter(basis=basis, environment__in=environment_ids, day__in=days)
    known = {(row[0], row[1]): (row[2], row[3]) for row in rows.values_list("environment_id", "day", "pk", "digest")}
    new: list[DayRollup] = []
    for place, detail in details.items():
        rollup = rollup_of(basis, place, detail, salt=b"" if trust else os.urandom(8))
        rollup.pk, digest = known.get(place, (None, None))
        if rollup.pk is None:
            new.append(rollup)
        elif digest != rollup.digest:
            rollup.save(force_update=True, update_fields=["digest", "sums", "leads", "detail"])
    DayRollup.objects.bulk_create(new, batch_size=100)
    gone = [pk for place, (pk, _) in known.items() if place not in details]
    if gone:
        DayRollup.objects.filter(pk__in=gone).delete()
    _remember_authors(basis, found)


def _mend(basis: RollupBasis, place: Place, applications: Collection[int]) -> bool:
    """Store what happened of some applications on a day, as their rows say now, and leave the rest of it as it is.

    So one more deployment costs as much on a busy day as on a quiet one. Tell whether there was a rollup to mend.
    """
    environment_id, day = place
    row = DayRollup.objects.filter(basis=basis, environment=environment_id, day=day).first()
    try:
        detail = None if row is None else unpack_detail(bytes(row.detail))
    except ValueError:
        detail = None
    if row is None or detail is None:
        return False
    found = read_days([environment_id], [day], bases.zone_of(basis), basis.bot_names, applications)
    mended = replace_applications(detail, applications, dict(found).get(place, NOTHING))
    if not len(mended.marks):
        row.delete()
        return True
    rollup = rollup_of(basis, place, mended)
    if rollup.digest != row.digest:
        rollup.pk = row.pk
        rollup.save(force_update=True, update_fields=["digest", "sums", "leads", "detail"])
    _remember_authors(basis, found)
    return True


def rollup_of(basis: RollupBasis, place: Place, detail: DayDetail, *, salt: bytes = b"") -> DayRollup:
    """Return the rollup of an environment and day, not stored."""
    sums, leads = pack_numbers(everything(detail))
    packed = pack_detail(detail)
    digest = hashlib.blake2b(b"".join([sums, leads, packed]), digest_size=8, salt=salt).digest()
    return DayRollup(
        basis=basis,
        environment_id=place[0],
        day=place[1],
        digest=int.from_bytes(digest, "big", signed=True),
        sums=sums,
        leads=leads,
        detail=packed,
    )


def _remember_authors(basis: RollupBasis, found: RawDays) -> None:
    names = {key: name for key, name in found.names.items() if key}
    known = Author.objects.filter(workspace=basis.workspace_id, name_key__in=names)
    new = names.keys() - set(known.values_list("name_key", flat=True))
    if new:
        Author.objects.bulk_create(
            [Author(workspace_id=basis.workspace_id, name_key=key, name=names[key]) for key in sorted(new)],
            ignore_conflicts=True,
            batch_size=500,
        )
