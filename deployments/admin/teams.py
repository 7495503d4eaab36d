"""Teams and calendars."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from deployments.models import FreezePeriod, Team, TeamMember
from deployments.rule_changes import note_freeze


class TeamForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        applications: QuerySet[Any] | None = data.get("applications")
        if applications and applications.exclude(workspace=data.get("workspace")).exists():
            self.add_error("applications", "All have to be of the team's workspace.")
        return data


class TeamMemberInline(admin.TabularInline):  # type: ignore[type-arg]
    model = TeamMember
    fields = ["name"]
    extra = 0


@admin.register(Team)
class TeamAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = TeamForm
    list_display = ["name", "workspace"]
    list_filter = ["workspace"]
    list_select_related = ["workspace"]
    search_fields = ["name", "people__name"]
    autocomplete_fields = ["workspace", "applications"]
    inlines = [TeamMemberInline]


@admin.register(FreezePeriod)
class FreezePeriodAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["reason", "first_day", "last_day", "workspace"]
    list_filter = ["workspace"]
    list_select_related = ["workspace"]
    search_fields = ["reason"]
    autocomplete_fields = ["workspace"]

    def save_model(self, request: HttpRequest, obj: FreezePeriod, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.changed_data:
            note_freeze(obj, "changed" if change else "added", request.user)

    def delete_model(self, request: HttpRequest, obj: FreezePeriod) -> None:
        note_freeze(obj, "removed", request.user)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[FreezePeriod]) -> None:
        for freeze in queryset.select_related("workspace"):
            note_freeze(freeze, "removed", request.user)
        super().delete_queryset(request, queryset)
