"""The calendar: on which days of the week work is done, and when nothing is meant to be deployed."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from deployments import rule_changes
from deployments.models import FreezePeriod, Workspace
from deployments.settings_forms import FreezePeriodForm, WorkingDaysForm


def calendar(request: HttpRequest) -> HttpResponse:
    """Show the working days and the freeze periods; save the one, add to the other."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    adds_freeze = "reason" in request.POST
    posted = request.POST if request.method == "POST" else None
    days = WorkingDaysForm(None if adds_freeze else posted, initial={"working_days": workspace.working_days})
    freeze = FreezePeriodForm(posted if adds_freeze else None, instance=FreezePeriod(workspace=workspace))
    if adds_freeze and freeze.is_valid():
        _add_freeze(request, freeze)
        return redirect("deployments:calendar")
    if posted is not None and not adds_freeze and days.is_valid():
        _set_working_days(request, workspace, days.cleaned_data["working_days"])
        return redirect("deployments:calendar")
    context = {"days_form": days, "freeze_form": freeze, "freezes": workspace.freeze_periods.all()}
    return render(request, "deployments/calendar.html", context)


@transaction.atomic
def _set_working_days(request: HttpRequest, workspace: Workspace, days: list[int]) -> None:
    before = Workspace.objects.get(pk=workspace.pk)
    workspace.working_days = sorted(days)
    workspace.save(update_fields=["working_days"])
    rule_changes.note_differences(before, workspace, request.user)
    messages.success(request, "Saved.")


@transaction.atomic
def _add_freeze(request: HttpRequest, form: FreezePeriodForm) -> None:
    freeze = form.save()
    rule_changes.note_freeze(freeze, "added", request.user)
    messages.success(request, f"“{freeze.reason}” is added.")


@require_POST
def remove_freeze(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a freeze period: its days count again."""
    rows = FreezePeriod.objects.filter(workspace=request.workspace)  # type: ignore[attr-defined]
    with transaction.atomic():
        freeze = get_object_or_404(rows.select_related("workspace"), pk=pk)
        rule_changes.note_freeze(freeze, "removed", request.user)
        freeze.delete()
    messages.success(request, f"“{freeze.reason}” is removed.")
    return redirect("deployments:calendar")
