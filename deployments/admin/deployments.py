"""Deployments as they were reported, and what was worked out about them."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from deployments import recording
from deployments.admin.base import Kept, LargeTable, ReadOnly, report_action, ring_bell_after_commit
from deployments.models import Deployment, DeploymentStatus


class StatusInline(ReadOnly, Kept, admin.TabularInline):  # type: ignore[type-arg]
    model = DeploymentStatus
    extra = 0
    fields = ["created_at", "state", "description", "environment_url", "log_url"]


@admin.register(DeploymentStatus)
class StatusAdmin(LargeTable, ReadOnly, Kept, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    list_display = ["created_at", "deployment", "state", "description"]
    list_filter = ["state"]
    list_select_related = ["deployment"]
    raw_id_fields = ["deployment"]


@admin.register(Deployment)
class DeploymentAdmin(LargeTable, ReadOnly, Kept, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    """Nothing of a deployment is edited or deleted: it was reported so. It can be archived."""

    list_display = [
        "version", "application", "environment", "state", "change_kind", "changes_count", "deployed_at",
        "lineage_pending", "archived_at",
    ]  # fmt: skip
    list_filter = [
        "state",
        "change_kind",
        "lineage_pending",
        "history_is_complete",
        ("archived_at", admin.EmptyFieldListFilter),
        "environment__is_production",
        "source",
        "workspace",
    ]
    list_select_related = ["application", "environment"]
    search_fields = ["version__istartswith", "commit_sha__startswith"]
    search_help_text = "The beginning of a version or of a commit's hash."
    fields = [
        "workspace", "application", "environment", "version", "commit_sha", "state", "deployed_at",
        "deployed_at_is_stated", "reached_environment", "archived_at", "author", "description", "monorepo_path",
        "environment_url", "log_url", "source", "sources", "ref", "task", "is_transient",
        "created_at", "change_kind", "changes_count", "history_is_complete",
        "lineage_pending", "worked_out",
    ]  # fmt: skip
    readonly_fields = ["worked_out"]
    inlines = [StatusInline]
    actions = ["archive", "restore"]

    @admin.display(description="more")
    def worked_out(self, deployment: Deployment) -> str:
        """Where the rows are that were worked out: too many to stand here."""
        query = urlencode({"deployment__id__exact": deployment.pk})
        return format_html(
            '<a href="{}?{}">Changes</a> · <a href="{}?{}">History gaps</a>',
            reverse("admin:deployments_change_changelist"), query,
            reverse("admin:deployments_historygap_changelist"), query,
        )  # fmt: skip

    def has_archive_permission(self, request: HttpRequest) -> bool:
        """Archiving is the operator's, although the rows are not edited."""
        return request.user.has_perm("deployments.change_deployment")

    @admin.action(description="Archive: leave the metrics, not the history", permissions=["archive"])
    def archive(self, request: HttpRequest, deployments: QuerySet[Deployment]) -> None:
        """Take deployments out of the metrics."""
        rows = deployments.filter(archived_at=None)
        self._apply(request, rows, recording.archive, "deployments archived")

    @admin.action(description="Restore", permissions=["archive"])
    def restore(self, request: HttpRequest, deployments: QuerySet[Deployment]) -> None:
        """Bring archived deployments back."""
        rows = deployments.exclude(archived_at=None)
        self._apply(request, rows, recording.restore, "deployments restored")

    def _apply(
        self, request: HttpRequest, rows: QuerySet[Deployment], act: Callable[[Deployment], None], what: str
    ) -> None:
        chosen = list(rows)
        for deployment in chosen:
            act(deployment)
        ring_bell_after_commit()
        report_action(self, request, len(chosen), what)
