"""Workspaces, the people in them, and their keys."""

import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import BaseUserCreationForm, UserChangeForm
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from deployments.admin.base import KeptOnceDeployed, report_action, ring_bell_after_commit
from deployments.changes import request_rebuild
from deployments.models import ApiKey, Membership, Scope, Track, User, Workspace
from deployments.models.workspaces import all_scopes
from deployments.rule_changes import note_differences

_IDLE_AFTER = datetime.timedelta(days=90)
_EXPIRES_SOON = datetime.timedelta(days=14)


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0
    autocomplete_fields = ["user", "workspace"]


class CreateUserForm(BaseUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("email",)
        field_classes: ClassVar[dict[str, Any]] = {}

    def clean_email(self) -> str:
        """Return the address as `create_user` stores it."""
        return str(self.cleaned_data["email"]).strip().lower()


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]
    """People, who log in by e-mail address."""

    form = UserChangeForm
    add_form = CreateUserForm
    ordering = ["email"]
    list_display = ["email", "first_name", "last_name", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff", "is_superuser", "workspaces"]
    search_fields = ["email", "first_name", "last_name"]
    fieldsets = [
        (None, {"fields": ("email", "password")}),
        ("Person", {"fields": ("first_name", "last_name")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    ]
    readonly_fields = ["last_login", "date_joined"]
    add_fieldsets = [(None, {"classes": ("wide",), "fields": ("email", "password1", "password2")})]
    inlines = [MembershipInline]


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["user", "workspace", "role"]
    list_filter = ["role", "workspace"]
    list_select_related = ["user", "workspace"]
    search_fields = ["user__email", "workspace__name"]
    autocomplete_fields = ["user", "workspace"]


@admin.register(Workspace)
class WorkspaceAdmin(KeptOnceDeployed, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "slug", "time_zone", "default_application", "default_environment", "created_at"]
    list_select_related = ["default_application", "default_environment"]
    search_fields = ["name", "slug"]
    readonly_fields = ["id", "created_at"]
    raw_id_fields = ["default_application", "default_environment"]
    inlines = [MembershipInline]
    actions = ["work_out_anew"]

    def save_model(self, request: HttpRequest, obj: Workspace, form: Any, change: bool) -> None:
        if change:
            note_differences(Workspace.objects.get(pk=obj.pk), obj, request.user)
        super().save_model(request, obj, form, change)

    @admin.action(description="Work out all changes anew", permissions=["change"])
    def work_out_anew(self, request: HttpRequest, workspaces: QuerySet[Workspace]) -> None:
        """Have the changes of every track worked out from its commits."""
        done = request_rebuild(Track.objects.filter(application__workspace__in=workspaces))
        ring_bell_after_commit()
        report_action(self, request, done, "tracks are being worked out anew")


class KeyStateFilter(admin.SimpleListFilter):
    """Which keys can be used, and which nobody uses."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("usable", "usable"),
            ("expiring", f"expires within {_EXPIRES_SOON.days} days"),
            ("expired", "expired"),
            ("revoked", "revoked"),
            ("unused", "never used"),
            ("idle", f"usable, but not used for {_IDLE_AFTER.days} days"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = timezone.now()
        usable = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))
        conditions = {
            "usable": usable,
            "expiring": usable & Q(expires_at__lte=now + _EXPIRES_SOON),
            "expired": Q(revoked_at=None, expires_at__lte=now),
            "revoked": Q(revoked_at__isnull=False),
            "unused": Q(last_used_at=None),
            "idle": usable & Q(created_at__lt=now - _IDLE_AFTER) & ~Q(last_used_at__gte=now - _IDLE_AFTER),
        }
        return queryset.filter(conditions.get(self.value() or "", Q()))


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(choices=Scope.choices, initial=all_scopes, widget=forms.CheckboxSelectMultiple)


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Keys. The text of one is shown when it is created, and never again."""

    form = ApiKeyForm
    list_display = ["name", "workspace", "prefix", "expires_at", "revoked_at", "last_used_at", "created_by"]
    list_filter = [KeyStateFilter, "workspace"]
    list_select_related = ["workspace", "created_by"]
    search_fields = ["name", "prefix"]
    autocomplete_fields = ["workspace"]
    fields = [
        "workspace", "name", "scopes", "expires_at", "prefix", "created_by", "created_at", "revoked_at",
        "last_used_at",
    ]  # fmt: skip
    readonly_fields = ["prefix", "created_by", "created_at", "revoked_at", "last_used_at"]
    actions = ["revoke"]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        """A key stays in its workspace: its jobs are there."""
        return [*self.readonly_fields, *(["workspace"] if obj else [])]

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
        # What the admin goes on with is the key that was made: it writes its name into the history.
        obj.pk, obj.prefix = key.pk, key.prefix
        self.message_user(request, f"The new key, shown once: {text}", messages.WARNING)

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        """Revoke keys at once."""
        done = ApiKey.objects.filter(pk__in=keys.values("pk")).revoke()
        report_action(self, request, done, "keys revoked")
