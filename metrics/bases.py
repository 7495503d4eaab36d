"""What the rollups of a workspace rest on: its time zone, and who is a bot."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction

from deployments.models import Deployment, Workspace
from deployments.names import name_key
from metrics.models import RollupBasis
from metrics.periods import day_of


@dataclass(slots=True)
class Bases:
    """The basis of the rollups that are read, and the one that is being built to take its place."""

    active: RollupBasis
    coming: RollupBasis | None

    def __iter__(self) -> Iterator[RollupBasis]:
        yield self.active
        if self.coming is not None:
            yield self.coming


def bot_keys(workspace: Workspace) -> list[str]:
    """Return the keys of the names that a workspace says are bots, in order."""
    return sorted({name_key(name) for name in workspace.bot_names})


def fits(basis: RollupBasis, workspace: Workspace) -> bool:
    """Tell whether a basis is what the workspace is set to."""
    return (basis.time_zone, basis.bot_names) == (workspace.time_zone, bot_keys(workspace))


def zone_of(basis: RollupBasis) -> ZoneInfo:
    """Return the time zone of a basis."""
    return ZoneInfo(basis.time_zone)


def hold(workspace: Workspace, *, wait: bool) -> Bases | None:
    """Lock the bases of a workspace, made to fit its settings. The caller holds a transaction.

    Whoever builds rollups of a workspace holds them, so that nobody overwrites what is newer with what is older.
    None where somebody else does, unless we are to wait.
    """
    rows = RollupBasis.objects.filter(workspace=workspace)
    active = rows.filter(is_active=True).select_for_update(skip_locked=not wait).first()
    if active is None:
        if rows.filter(is_active=True).exists():
            return None
        active = _create(workspace, is_active=True)
        if active is None:
            return None
    coming = rows.filter(is_active=False).first()
    if coming is not None and not fits(coming, workspace):
        coming.delete()
        coming = None
    if fits(active, workspace):
        if coming is not None:
            coming.delete()
        return Bases(active, None)
    return Bases(active, coming or _create(workspace, is_active=False))


def _create(workspace: Workspace, *, is_active: bool) -> RollupBasis | None:
    """Return a new basis of which every day has still to be built; None where somebody else has made one."""
    basis = RollupBasis(
        workspace=workspace,
        time_zone=workspace.time_zone,
        bot_names=bot_keys(workspace),
        is_active=is_active,
    )
    days = days_of_history(workspace, zone_of(basis))
    if days is not None:
        plan(basis, *days)
    try:
        with transaction.atomic():
            basis.save()
    except IntegrityError:
        return None
    return basis


def days_of_history(workspace: Workspace, zone: ZoneInfo) -> tuple[datetime.date, datetime.date] | None:
    """Return the days of the first and of the last deployment of a workspace; None without any."""
    moments = Deployment.objects.filter(workspace=workspace).values_list("deployed_at", flat=True)
    first = moments.order_by("deployed_at", "id").first()
    last = moments.order_by("-deployed_at", "-id").first()
    return None if first is None or last is None else (day_of(first, zone), day_of(last, zone))


def plan(basis: RollupBasis, first: datetime.date, last: datetime.date) -> None:
    """Have the days from one to another built, besides those that have still to be. The caller saves the basis."""
    if basis.first_day_to_do is not None and basis.last_day_to_do is not None:
        first, last = min(first, basis.first_day_to_do), max(last, basis.last_day_to_do)
    basis.first_day_to_do, basis.last_day_to_do = first, last
    basis.days_to_do = (last - first).days + 1


def days_left(basis: RollupBasis) -> int:
    """Return how many days of a basis have still to be built, those marked as stale apart."""
    if basis.first_day_to_do is None or basis.last_day_to_do is None:
        return 0
    return (basis.last_day_to_do - basis.first_day_to_do).days + 1


def is_to_do(basis: RollupBasis, day: datetime.date) -> bool:
    """Tell whether a day has still to be built."""
    if basis.first_day_to_do is None or basis.last_day_to_do is None:
        return False
    return basis.first_day_to_do <= day <= basis.last_day_to_do


def switch(bases: Bases) -> None:
    """Let the basis that was coming take the place of the active one, whose rollups are deleted."""
    assert bases.coming is not None, "there is one to take its place"
    bases.active.delete()
    bases.coming.is_active = True
    bases.coming.save(update_fields=["is_active"])
