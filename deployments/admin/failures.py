"""By which rules failures are found, what was found, and what people say against it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from deployments import rule_changes, verdicts
from deployments.admin.base import Kept, LargeTable, ReadOnly, ring_sweep_after_commit
from deployments.failure_forms import FailureRulesForm
from deployments.models import FailureFinding, FailureRules, Overruling, RuleChange


@admin.register(FailureRules)
class FailureRulesAdmin(Kept, admin.ModelAdmin):  # type: ignore[type-arg]
    """Each workspace has its rules as soon as they are asked for; they are changed, never added or deleted."""

    form = FailureRulesForm
    list_display = ["workspace", "rollbacks", "reverts", "hotfixes", "failed_statuses", "incidents"]
    list_select_related = ["workspace"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: FailureRules, form: Any, change: bool) -> None:
        summary = form.changes_in_words()
        super().save_model(request, obj, form, change)
        if summary:
            rule_changes.note(obj.workspace, summary, request.user)
            verdicts.request_judging(obj.workspace)
            ring_sweep_after_commit()


@admin.register(FailureFinding)
class FindingAdmin(LargeTable, ReadOnly, Kept, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    """Found by the rules, and found again whenever they change."""

    list_display = ["deployment", "reason", "why", "repair", "incident", "repaired_at"]
    list_filter = ["reason", "deployment__workspace"]
    list_select_related = ["deployment", "repair", "incident"]
    raw_id_fields = ["deployment", "repair", "incident"]


@admin.register(Overruling)
class OverrulingAdmin(LargeTable, ReadOnly, Kept, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    """What people said. It is withdrawn on the page of the deployment."""

    list_display = ["deployment", "verdict", "holds", "reason", "made_by", "created_at"]
    list_filter = ["verdict", "holds", "deployment__workspace"]
    list_select_related = ["deployment", "made_by"]
    raw_id_fields = ["deployment", "made_by"]


@admin.register(RuleChange)
class RuleChangeAdmin(LargeTable, ReadOnly, Kept, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    list_display = ["created_at", "workspace", "summary", "made_by"]
    list_filter = ["workspace"]
    list_select_related = ["workspace", "made_by"]
