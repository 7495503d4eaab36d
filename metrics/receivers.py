"""What the read side does when the write side tells of something."""

from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.db.models.signals import post_save, pre_delete

from deployments.models import Deployment, Workspace
from deployments.signals import Place, days_changed
from metrics import stale
from metrics.tasks import ring_bell


def connect() -> None:
    """Begin to listen."""
    days_changed.connect(_mark_days, dispatch_uid="rollups")
    pre_delete.connect(_mark_deleted, sender=Deployment, dispatch_uid="rollups")
    post_save.connect(_build_anew, sender=Workspace, dispatch_uid="rollups")


def _mark_days(places: Collection[Place], **_: Any) -> None:
    stale.mark(places, ring_bell)


def _mark_deleted(instance: Deployment, **_: Any) -> None:
    """Mark the day of a deployment that is deleted with what it belongs to."""
    stale.mark([instance.place], ring_bell)


def _build_anew(instance: Workspace, **_: Any) -> None:
    """Another time zone, or other bots, need other rollups: whoever builds them finds out which."""
    transaction.on_commit(ring_bell)
