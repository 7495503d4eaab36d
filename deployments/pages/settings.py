"""The settings of a workspace, and its API keys."""

import datetime

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from deployments import rule_changes
from deployments.changes import request_rebuild
from deployments.forms import ApiKeyForm
from deployments.models import ApiKey, PullRequest, Track, Workspace
from deployments.pages.github import is_owner
from deployments.settings_forms import WorkspaceForm
from deployments.tasks import ring_bell


def workspace_settings(request: HttpRequest) -> HttpResponse:
    """Show the settings, and save them."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    form = WorkspaceForm(request.POST or None, instance=Workspace.objects.get(pk=workspace.pk))
    if request.method == "POST" and form.is_valid():
        _save(request, form)
        ring_bell()
        messages.success(request, "Saved.")
        return redirect("deployments:settings")
    return render(request, "deployments/settings.html", {"form": form})


@transaction.atomic
def _save(request: HttpRequest, form: WorkspaceForm) -> None:
    workspace = Workspace.objects.get(pk=form.instance.pk)
    rule_changes.note_differences(workspace, form.save(), request.user)
    if "include_merge_commits" in form.changed_data:
        request_rebuild(Track.objects.filter(application__workspace=workspace))
    if "leave_out_bots" in form.changed_data:
        rows = PullRequest.objects.filter(repository__workspace=workspace, author_is_bot=True)
        rows.update(changes_pending=True)


@never_cache
def api_keys(request: HttpRequest) -> HttpResponse:
    """List the API keys, and create one: its text is on the answer to that request and nowhere else."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    owns = is_owner(request)
    form = ApiKeyForm(request.POST or None, is_owner=owns)
    new_key = ""
    if request.method == "POST" and form.is_valid():
        new_key = _create(request, workspace, form)
        form = ApiKeyForm(is_owner=owns)
    context = {
        "form": form,
        "keys": list(workspace.api_keys.select_related("created_by")),
        "new_key": new_key,
        "base_url": settings.BASE_URL or request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "deployments/api_keys.html", context)


def _create(request: HttpRequest, workspace: Workspace, form: ApiKeyForm) -> str:
    day = form.cleaned_data["expires_on"]
    expires_at = day and datetime.datetime.combine(day, datetime.time(), workspace.zone)
    _, text = ApiKey.create(
        workspace=workspace,
        name=form.cleaned_data["name"],
        scopes=form.cleaned_data["scopes"],
        expires_at=expires_at,
        created_by=request.user,
    )
    return text


@require_POST
def revoke_key(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke an API key at once."""
    key = get_object_or_404(ApiKey, pk=pk, workspace=request.workspace)  # type: ignore[attr-defined]
    ApiKey.objects.filter(pk=key.pk).revoke()
    messages.success(request, f"“{key.name}” is revoked.")
    return redirect("deployments:api-keys")
