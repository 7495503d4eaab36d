"""What the read side keeps, for operators."""

from django.contrib import admin

from metrics.models import Goal, ReviewNote


@admin.register(Goal)
class GoalAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["metric", "target", "environment", "application", "team", "workspace", "created_by", "created_at"]
    list_filter = ["metric", "workspace"]
    list_select_related = ["environment", "application", "team", "workspace", "created_by"]
    raw_id_fields = ["environment", "application", "team", "created_by"]


@admin.register(ReviewNote)
class ReviewNoteAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["workspace", "first_day", "last_day", "written_by", "written_at"]
    list_filter = ["workspace"]
    list_select_related = ["workspace", "written_by"]
    raw_id_fields = ["written_by"]
    search_fields = ["text"]
