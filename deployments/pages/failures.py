"""By which rules failures are found, and what people say against the verdicts."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from deployments import rule_changes, verdicts
from deployments.failure_forms import FailureRulesForm, OverruleForm
from deployments.models import Deployment, Overruling, Workspace
from deployments.previews import Preview, Rate, preview
from deployments.tasks import ring_sweep


def failure_rules(request: HttpRequest) -> HttpResponse:
    """Show the rules; save them, or only say what they would find."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    form = FailureRulesForm(request.POST or None, instance=verdicts.rules_of(workspace.pk))
    context: dict[str, Any] = {"form": form, "pending": verdicts.pending_verdicts(workspace)}
    if request.method == "POST" and form.is_valid():
        if "preview" not in request.POST:
            _save(request, workspace, form)
            return redirect("deployments:failure-rules")
        context["preview"] = in_words(preview(workspace, verdicts.plain(form.instance)))
    context["rule_changes"] = workspace.rule_changes.select_related("made_by")[:10]
    return render(request, "deployments/failure_rules.html", context)


def progress(request: HttpRequest) -> HttpResponse:
    """Show how many deployments have still to be judged by the new rules."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    context = {"pending": verdicts.pending_verdicts(workspace)}
    return render(request, "deployments/_judging.html", context)


def _save(request: HttpRequest, workspace: Workspace, form: FailureRulesForm) -> None:
    summary = form.changes_in_words()
    if not summary:
        messages.success(request, "Nothing was changed.")
        return
    with transaction.atomic():
        form.save()
        rule_changes.note(workspace, summary, request.user)
        verdicts.request_judging(workspace)
    ring_sweep()
    messages.success(request, "Saved. The verdicts are being found anew.")


def in_words(found: Preview) -> str:
    """Say what other rules would change."""
    if not found.now.deployments and not found.then.deployments:
        return f"Nothing was deployed to production in the last {found.days} days, so there is nothing to compare."
    cut = f", of which the latest {found.looked_at:,} were looked at" if found.is_cut else ""
    return (
        f"With these rules the change fail rate of the last {found.days} days{cut} would be {_rate(found.then)}"
        f" instead of {_rate(found.now)}."
    )


def _rate(rate: Rate) -> str:
    return f"{rate.value or 0:.0%} ({rate.failed:,} of {rate.deployments:,})".replace("%", " %")


def verdict_context(deployment: Deployment) -> dict[str, Any]:
    """Return what the page of a deployment shows of its verdict."""
    failure = Overruling.Verdict.FAILURE
    overrulings = list(deployment.overrulings.select_related("made_by").order_by("verdict"))
    return {
        "findings": list(deployment.findings.select_related("repair", "incident").order_by("repaired_at", "pk")),
        "repaired": list(
            deployment.findings_repaired.select_related("deployment").order_by("deployment__deployed_at", "pk")
        ),
        "overrulings": overrulings,
        "is_acquitted": any(row.verdict == failure and not row.holds for row in overrulings),
        # Otherwise is the contrary of what stands.
        "overrule_form": OverruleForm(initial={"says": "failure no" if deployment.has_failed else "failure yes"}),
    }


@require_POST
def overrule(request: HttpRequest, pk: int) -> HttpResponse:
    """Take down what a person says of a deployment."""
    deployment = _deployment(request, pk)
    form = OverruleForm(request.POST)
    if form.is_valid():
        person: Any = request.user
        verdicts.overrule(deployment, form.verdict, form.holds, form.cleaned_data["reason"], person)
        messages.success(request, "Saved. The rules leave it at that.")
    else:
        for errors in form.errors.values():
            messages.error(request, str(errors[0]))
    return redirect("deployments:deployment", pk)


@require_POST
def withdraw_overruling(request: HttpRequest, pk: int, verdict: str) -> HttpResponse:
    """Leave a verdict to the rules again."""
    if verdicts.withdraw_overruling(_deployment(request, pk), verdict):
        messages.success(request, "Withdrawn. The rules decide again.")
    return redirect("deployments:deployment", pk)


def _deployment(request: HttpRequest, pk: int) -> Deployment:
    return get_object_or_404(Deployment, pk=pk, workspace=request.workspace)  # type: ignore[attr-defined]
