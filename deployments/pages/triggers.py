"""What counts as a deployment of an application, on its page: in sentences, to add and to remove."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from deployments.forms import TriggerForm
from deployments.models import Application, DeploymentTrigger

Kind = DeploymentTrigger.Kind
_SENTENCES = {
    Kind.GITHUB_DEPLOYMENT: "A GitHub deployment to {pattern} that succeeds",
    Kind.MERGE: "A pull request that is merged into {pattern}",
    Kind.PUSH: "A push to {pattern}",
    Kind.RELEASE: "A release whose tag matches {pattern}",
    Kind.TAG: "A tag that matches {pattern}",
    Kind.WORKFLOW: "A run of the workflow {pattern} that succeeds",
}


def in_words(trigger: DeploymentTrigger) -> SafeString:
    """Return a trigger as a sentence. Needs its environment."""
    sentence = format_html(_SENTENCES[Kind(trigger.kind)], pattern=format_html("<code>{}</code>", trigger.pattern))
    if trigger.branch:
        sentence = format_html("{} on <code>{}</code>", sentence, trigger.branch)
    if trigger.includes_prereleases:
        sentence = format_html("{}, pre-releases too,", sentence)
    return format_html("{} is a deployment to <b>{}</b>.", sentence, trigger.environment.name)


def triggers_of(application: Application) -> list[tuple[DeploymentTrigger, SafeString]]:
    """Return the triggers of an application with their sentences."""
    rows = application.triggers.select_related("environment")
    return [(trigger, in_words(trigger)) for trigger in rows]


def add(request: HttpRequest, form: TriggerForm) -> HttpResponse:
    """Store the trigger that a valid form describes, and lead back to the application."""
    trigger = form.save()
    messages.success(request, "Added. It holds from GitHub's next event on.")
    return _back(trigger.application_id)


@require_POST
def remove(request: HttpRequest, pk: int, trigger: int) -> HttpResponse:
    """Remove a trigger. What it recorded stays."""
    rows = DeploymentTrigger.objects.filter(application__workspace=request.workspace)  # type: ignore[attr-defined]
    get_object_or_404(rows, pk=trigger, application=pk).delete()
    messages.success(request, "Removed. The deployments that it recorded stay.")
    return _back(pk)


def _back(application_id: int) -> HttpResponse:
    return redirect(reverse("deployments:application", args=[application_id]) + "#triggers")
