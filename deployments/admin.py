"""The operator's view of everything: what failed, what is stuck, what can be run again."""

import datetime
import json
from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import BaseUserCreationForm, UserChangeForm
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html

from deployments import jobs, recording
from deployments.catalog import set_monorepo_path
from deployments.changes import request_rebuild
from deployments.models import (
    ApiKey,
    Application,
    Change,
    Commit,
    Deployment,
    DeploymentStatus,
    Environment,
    Job,
    JobStatus,
    Membership,
    RefusedRequest,
    Repository,
    Track,
    User,
    Workspace,
)
from deployments.tasks import ring_bell

admin.site.site_header = "Slipway"
admin.site.site_title = "Slipway"
admin.site.index_title = "Operation"

# Pages of a large table that can be turned to; nobody turns further, and counting ten million rows takes seconds.
_MOST_ROWS = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts up to a bound only."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, or the bound where there are more."""
        rows: Any = self.object_list
        return int(rows.order_by()[:_MOST_ROWS].count())


class LargeTable:
    """Options for tables that grow with every deployment."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50


class ReadOnly:
    """For what is recorded or worked out: editing it would be a lie."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def _after_commit(model_admin: "admin.ModelAdmin[Any]", request: HttpRequest, done: int, what: str) -> None:
    transaction.on_commit(ring_bell)
    level = messages.SUCCESS if done else messages.WARNING
    model_admin.message_user(request, f"{done} {what}.", level)


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0
    raw_id_fields = ["user", "workspace"]


class CreateUserForm(BaseUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("email",)
        field_classes: ClassVar[dict[str, Any]] = {}


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]
    """People, who log in by e-mail address."""

    form = UserChangeForm
    add_form = CreateUserForm
    ordering = ["email"]
    list_display = ["email", "first_name", "last_name", "is_active", "is_staff", "last_login"]
    search_fields = ["email", "first_name", "last_name"]
    fieldsets = [
        (None, {"fields": ("email", "password")}),
        ("Person", {"fields": ("first_name", "last_name")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    ]
    add_fieldsets = [(None, {"classes": ("wide",), "fields": ("email", "password1", "password2")})]
    inlines = [MembershipInline]


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "slug", "time_zone", "default_application", "default_environment", "created_at"]
    list_select_related = ["default_application", "default_environment"]
    search_fields = ["name", "slug"]
    readonly_fields = ["id", "created_at"]
    raw_id_fields = ["default_application", "default_environment"]
    inlines = [MembershipInline]
    actions = ["work_out_anew"]

    @admin.action(description="Work out all changes anew")
    def work_out_anew(self, request: HttpRequest, workspaces: QuerySet[Workspace]) -> None:
        """Have the changes of every track worked out from its commits."""
        done = request_rebuild(Track.objects.filter(application__workspace__in=workspaces))
        _after_commit(self, request, done, "tracks are being worked out anew")


class KeyStateFilter(admin.SimpleListFilter):
    """Which keys can be used, and which nobody uses."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("usable", "usable"),
            ("expired", "expired"),
            ("revoked", "revoked"),
            ("unused", "never used"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = timezone.now()
        conditions = {
            "usable": Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now)),
            "expired": Q(expires_at__lte=now),
            "revoked": Q(revoked_at__isnull=False),
            "unused": Q(last_used_at=None),
        }
        return queryset.filter(conditions[self.value()]) if self.value() in conditions else queryset  # type: ignore[index]


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Keys. The text of one is shown when it is created, and never again."""

    list_display = ["name", "workspace", "prefix", "expires_at", "revoked_at", "last_used_at", "created_by"]
    list_filter = [KeyStateFilter, "workspace"]
    list_select_related = ["workspace", "created_by"]
    search_fields = ["name", "prefix"]
    fields = [
        "workspace",
        "name",
        "scopes",
        "expires_at",
        "prefix",
        "created_by",
        "created_at",
        "revoked_at",
        "last_used_at",
    ]
    readonly_fields = ["prefix", "created_by", "created_at", "revoked_at", "last_used_at"]
    actions = ["revoke"]

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        key, text = ApiKey.create(
            workspace=obj.workspace,
            name=obj.name,
            scopes=obj.scopes,
            expires_at=obj.expires_at,
            created_by=request.user,
        )
        obj.pk = key.pk
        self.message_user(request, f"The new key, shown once: {text}", messages.WARNING)

    @admin.action(description="Revoke")
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        """Revoke keys at once."""
        done = ApiKey.objects.filter(pk__in=keys.values("pk")).revoke()
        self.message_user(request, f"{done} keys revoked.")


@admin.register(Repository)
class RepositoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["full_name", "workspace", "default_branch", "created_at"]
    list_filter = ["workspace"]
    list_select_related = ["workspace"]
    search_fields = ["full_name"]
    raw_id_fields = ["workspace"]
    readonly_fields = ["default_branch_sha", "created_at"]


@admin.register(Application)
class ApplicationAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = [
        "name",
        "repository",
        "workspace",
        "monorepo_path",
        "monorepo_path_is_pinned",
        "created_at",
    ]
    list_filter = ["workspace"]
    list_select_related = ["repository", "workspace"]
    search_fields = ["name", "repository__full_name"]
    raw_id_fields = ["workspace", "repository"]
    readonly_fields = ["created_at"]

    def save_model(self, request: HttpRequest, obj: Application, form: Any, change: bool) -> None:
        if change:
            set_monorepo_path(
                Application.objects.get(pk=obj.pk), obj.monorepo_path, pinned=obj.monorepo_path_is_pinned
            )
            transaction.on_commit(ring_bell)
        super().save_model(request, obj, form, change)


@admin.register(Environment)
class EnvironmentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "workspace", "is_production", "created_at"]
    list_filter = ["is_production", "workspace"]
    list_select_related = ["workspace"]
    search_fields = ["name"]
    raw_id_fields = ["workspace"]
    readonly_fields = ["created_at"]


class StatusInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = DeploymentStatus
    extra = 0
    fields = ["created_at", "state", "description", "log_url"]
    readonly_fields: ClassVar[list[str]] = ["created_at", "state", "description", "log_url"]


@admin.register(Deployment)
class DeploymentAdmin(LargeTable, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    """Deployments as they were reported, and what was worked out about them."""

    list_display = [
        "version", "application", "environment", "state", "change_kind", "changes_count", "deployed_at",
        "lineage_pending", "archived_at",
    ]  # fmt: skip
    list_filter = ["state", "change_kind", "lineage_pending", "history_is_complete", "source", "workspace"]
    list_select_related = ["application", "environment"]
    search_fields = ["version__istartswith", "commit_sha__startswith"]
    date_hierarchy = None
    ordering = ["-deployed_at", "-id"]
    inlines = [StatusInline]
    actions = ["archive", "restore"]

    def has_archive_permission(self, request: HttpRequest) -> bool:
        """Archiving is the operator's, although the rows are not edited."""
        return request.user.has_perm("deployments.change_deployment")

    @admin.action(description="Archive: leave the metrics, not the history", permissions=["archive"])
    def archive(self, request: HttpRequest, deployments: QuerySet[Deployment]) -> None:
        """Take deployments out of the metrics."""
        self._apply(request, deployments, recording.archive, "deployments archived")

    @admin.action(description="Restore", permissions=["archive"])
    def restore(self, request: HttpRequest, deployments: QuerySet[Deployment]) -> None:
        """Bring archived deployments back."""
        self._apply(request, deployments, recording.restore, "deployments restored")

    def _apply(
        self, request: HttpRequest, rows: QuerySet[Deployment], act: Callable[[Deployment], None], what: str
    ) -> None:
        for deployment in rows:
            act(deployment)
        _after_commit(self, request, len(rows), what)


class JobTroubleFilter(admin.SimpleListFilter):
    """What an operator looks for when deployments do not show up."""

    title = "trouble"
    parameter_name = "trouble"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("failed", "failed for good"),
            ("retrying", "waiting for another attempt"),
            ("stuck", "stuck"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "failed":
            return queryset.filter(status=JobStatus.ERROR)
        if self.value() == "retrying":
            return queryset.filter(status=JobStatus.QUEUED, attempt__gt=0)
        if self.value() == "stuck":
            late = timezone.now() - datetime.timedelta(minutes=5)
            waiting = Q(status=JobStatus.QUEUED, available_at__lt=late)
            return queryset.filter(waiting | Q(status=JobStatus.RUNNING, claimed_until__lt=late))
        return queryset


@admin.register(Job)
class JobAdmin(LargeTable, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    """Accepted requests and what became of them."""

    list_display = ["created_at", "status", "type", "workspace", "api_key", "attempt", "deployment", "error"]
    list_filter = [JobTroubleFilter, "status", "type", "workspace"]
    list_select_related = ["workspace", "api_key", "deployment"]
    search_fields = ["id", "idempotency_key"]
    ordering = ["-created_at"]
    fields = [
        "id", "workspace", "api_key", "type", "status", "attempt", "max_attempts", "created_at", "available_at",
        "started_at", "finished_at", "claimed_until", "idempotency_key", "error", "deployment", "shown_log",
        "shown_payload",
    ]  # fmt: skip
    readonly_fields = ["shown_log", "shown_payload"]
    actions = ["run_again", "withdraw"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return super().get_queryset(request).defer("payload", "log")

    def has_work_permission(self, request: HttpRequest) -> bool:
        """Running again is the operator's, although the rows are not edited."""
        return request.user.has_perm("deployments.change_job")

    @admin.display(description="payload")
    def shown_payload(self, job: Job) -> str:
        """The report, readable; a long one is cut."""
        return format_html("<pre>{}</pre>", json.dumps(job.payload, indent=2, ensure_ascii=False)[:20_000])

    @admin.display(description="log")
    def shown_log(self, job: Job) -> str:
        """What happened to it."""
        return format_html("<pre>{}</pre>", job.log)

    @admin.action(description="Run again", permissions=["work"])
    def run_again(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        """Queue jobs that failed or were stopped once more."""
        done = sum(jobs.run_again(job) for job in rows)
        _after_commit(self, request, done, "jobs queued once more")

    @admin.action(description="Withdraw", permissions=["work"])
    def withdraw(self, request: HttpRequest, rows: QuerySet[Job]) -> None:
        """Stop jobs that have not ended."""
        done = sum(jobs.withdraw(job) for job in rows)
        self.message_user(request, f"{done} jobs withdrawn.")


@admin.register(RefusedRequest)
class RefusedRequestAdmin(LargeTable, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    list_display = [
        "created_at",
        "http_status",
        "method",
        "path",
        "workspace",
        "key_prefix",
        "address",
        "title",
    ]
    list_filter = ["http_status", "workspace"]
    list_select_related = ["workspace"]
    search_fields = ["key_prefix", "address"]


@admin.register(Commit)
class CommitAdmin(LargeTable, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    list_display = ["short_sha", "repository", "author", "authored_at", "subject"]
    list_select_related = ["repository"]
    search_fields = ["sha__startswith"]
    ordering = ["-id"]


@admin.register(Change)
class ChangeAdmin(LargeTable, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    list_display = ["commit", "deployment", "started_at", "lead_time_seconds", "clock_was_ahead"]
    list_filter = ["clock_was_ahead", "files_are_unknown"]
    list_select_related = ["commit", "deployment"]
    search_fields = ["commit__sha__startswith"]
    ordering = ["-id"]


@admin.register(Track)
class TrackAdmin(LargeTable, ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    list_display = ["application", "environment", "rebuild_pending"]
    list_filter = ["rebuild_pending"]
    list_select_related = ["application", "environment"]
    search_fields = ["application__name", "environment__name"]
    actions = ["work_out_anew"]

    def has_work_permission(self, request: HttpRequest) -> bool:
        """Working out anew is the operator's, although the rows are not edited."""
        return request.user.has_perm("deployments.change_track")

    @admin.action(description="Work out the changes anew", permissions=["work"])
    def work_out_anew(self, request: HttpRequest, tracks: QuerySet[Track]) -> None:
        """Have the changes of tracks worked out from their commits."""
        done = request_rebuild(Track.objects.filter(pk__in=tracks.values("pk")))
        _after_commit(self, request, done, "tracks are being worked out anew")
