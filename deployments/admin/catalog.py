"""What can be deployed and where."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from deployments.admin.base import KeptOnceDeployed, LargeTable, ReadOnly, report_action, ring_bell_after_commit
from deployments.catalog import set_monorepo_path
from deployments.changes import request_rebuild
from deployments.models import Application, Deployment, Environment, Repository, Track
from deployments.rule_changes import note_differences


@admin.register(Repository)
class RepositoryAdmin(KeptOnceDeployed, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["full_name", "workspace", "default_branch", "created_at"]
    list_filter = ["workspace"]
    list_select_related = ["workspace"]
    search_fields = ["full_name"]
    autocomplete_fields = ["workspace"]
    readonly_fields = ["default_branch_sha", "created_at"]

    def has_deployments(self, obj: Repository) -> bool:
        return Deployment.objects.filter(application__repository=obj).exists()


@admin.register(Application)
class ApplicationAdmin(KeptOnceDeployed, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "repository", "workspace", "monorepo_path", "monorepo_path_is_pinned", "created_at"]
    list_filter = ["monorepo_path_is_pinned", "workspace"]
    list_select_related = ["repository", "workspace"]
    search_fields = ["name", "repository__full_name"]
    autocomplete_fields = ["workspace", "repository"]
    readonly_fields = ["created_at"]

    def save_model(self, request: HttpRequest, obj: Application, form: Any, change: bool) -> None:
        if change:
            before, after = Application.objects.get(pk=obj.pk), Application.objects.get(pk=obj.pk)
            set_monorepo_path(after, obj.monorepo_path, pinned=obj.monorepo_path_is_pinned)
            note_differences(before, after, request.user)
            ring_bell_after_commit()
        super().save_model(request, obj, form, change)


@admin.register(Environment)
class EnvironmentAdmin(KeptOnceDeployed, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "workspace", "is_production", "is_production_is_pinned", "created_at"]
    list_filter = ["is_production", "workspace"]
    list_select_related = ["workspace"]
    search_fields = ["name"]
    autocomplete_fields = ["workspace"]
    readonly_fields = ["is_production_is_pinned", "created_at"]

    def save_model(self, request: HttpRequest, obj: Environment, form: Any, change: bool) -> None:
        if "is_production" in form.changed_data:
            obj.is_production_is_pinned = True
            if change:
                note_differences(Environment.objects.get(pk=obj.pk), obj, request.user)
        super().save_model(request, obj, form, change)


@admin.register(Track)
class TrackAdmin(LargeTable, ReadOnly, KeptOnceDeployed, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    list_display = ["application", "environment", "waiting_changes", "waiting_since", "rebuild_pending"]
    list_filter = ["rebuild_pending", "waiting_pending"]
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
        ring_bell_after_commit()
        report_action(self, request, done, "tracks are being worked out anew")
