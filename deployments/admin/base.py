"""What the lists of the admin have in common."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest
from django.utils.functional import cached_property

from deployments.tasks import ring_bell, ring_sweep

# Nobody turns further than this, and counting ten million rows takes seconds.
_MOST_ROWS = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts up to a bound only."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, or the bound where there are more."""
        rows: Any = self.object_list
        return int(rows.order_by()[:_MOST_ROWS].count())


class LargeTable:
    """Options for tables that grow with every deployment.

    They are shown in the order in which they were written, which the primary key has for nothing; sorting by a
    column would read the whole table.
    """

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    ordering: ClassVar[list[str]] = ["-id"]
    sortable_by: ClassVar[list[str]] = []


class ReadOnly:
    """For what is recorded or worked out: editing it would be a lie."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class Kept:
    """For what others are worked out from: deleting it would make those wrong."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class KeptOnceDeployed:
    """For what deployments belong to: it can be deleted as long as there are none, such as after a slip of the pen.

    One at a time: deleting many at once would collect all that hangs on them first.
    """

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed: bool = super().has_delete_permission(request, obj)  # type: ignore[misc]
        return allowed and obj is not None and not self.has_deployments(obj)

    def has_deployments(self, obj: Any) -> bool:
        """Tell whether anything was deployed of it or to it."""
        return bool(obj.deployments.exists())


def report_action(model_admin: "admin.ModelAdmin[Any]", request: HttpRequest, done: int, what: str) -> None:
    """Tell the operator to how many rows an action applied."""
    level = messages.SUCCESS if done else messages.WARNING
    model_admin.message_user(request, f"{done} {what}.", level)


def ring_sweep_after_commit() -> None:
    """Wake a worker for what no job stands for."""
    transaction.on_commit(ring_sweep)


def ring_bell_after_commit() -> None:
    """Wake a worker for what an action left to do."""
    transaction.on_commit(ring_bell)
