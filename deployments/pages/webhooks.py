"""Outgoing webhooks: who is told of what happens, what was sent, and what came back."""

import json
from typing import Any

from django.contrib import messages
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from deployments.models import WebhookDelivery, WebhookSubscription, Workspace
from deployments.pages.github import is_owner, require_owner
from deployments.webhook_forms import WebhookForm
from deployments.webhooks import subscriptions

_MOST_SHOWN = 20_000
_PAGE = 50
_HEAVY = ("payload", "request_headers", "response_headers", "response_body")


def _webhooks(request: HttpRequest) -> Any:
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    return WebhookSubscription.objects.of_workspace(workspace)


def _webhook(request: HttpRequest, pk: int) -> WebhookSubscription:
    """Return a webhook for whoever may do with it what they like. Raises PermissionDenied, and Http404."""
    require_owner(request)
    row: WebhookSubscription = get_object_or_404(_webhooks(request).select_related("workspace"), pk=pk)
    return row


@never_cache
def webhook_list(request: HttpRequest) -> HttpResponse:
    """List the webhooks. Owners see their addresses in full: the path of some is as good as a password."""
    latest = WebhookDelivery.objects.filter(subscription=OuterRef("pk")).order_by("-created_at", "-id")
    rows = _webhooks(request).annotate(
        latest_state=Subquery(latest.values("state")[:1]), latest_at=Subquery(latest.values("created_at")[:1])
    )
    return render(request, "deployments/webhook_list.html", {"webhooks": list(rows), "is_owner": is_owner(request)})


@never_cache
@sensitive_post_parameters("secret")
def add(request: HttpRequest) -> HttpResponse:
    """Add a webhook: a secret that was made for it is on the answer to that request and nowhere else."""
    require_owner(request)
    form = WebhookForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data["secret"]
        secret = given or subscriptions.new_secret()
        try:
            row = subscriptions.create(
                request.workspace,  # type: ignore[attr-defined]
                secret=secret,
                created_by=request.user,  # type: ignore[arg-type]
                **form.facts,
            )
        except subscriptions.TooMany as error:
            form.add_error(None, str(error))
        else:
            return render(request, "deployments/webhook.html", _shown(request, row, "" if given else secret))
    return render(request, "deployments/webhook_form.html", {"form": form})


@never_cache
def webhook_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a webhook with what was delivered to it."""
    return render(request, "deployments/webhook.html", _shown(request, _webhook(request, pk)))


def _shown(request: HttpRequest, row: WebhookSubscription, new_secret: str = "") -> dict[str, Any]:
    rows = row.deliveries.defer(*_HEAVY).order_by("-created_at", "-id")
    before = request.GET.get("before", "")
    if before.isascii() and before.isdecimal() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    found = list(rows[: _PAGE + 1])
    return {
        "webhook": row,
        "new_secret": new_secret,
        "deliveries": found[:_PAGE],
        "older": found[_PAGE - 1].pk if len(found) > _PAGE else None,
    }


@never_cache
@sensitive_post_parameters("secret")
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a webhook; a secret that is left empty stays as it is."""
    row = _webhook(request, pk)
    form = WebhookForm(request.POST or None, webhook=row)
    if request.method == "POST" and form.is_valid():
        subscriptions.change(row, secret=form.cleaned_data["secret"], **form.facts)
        messages.success(request, "Saved. What waits is tried now.")
        return redirect("deployments:webhook", pk)
    return render(request, "deployments/webhook_form.html", {"form": form, "webhook": row})


@require_POST
def pause(request: HttpRequest, pk: int) -> HttpResponse:
    """Send nothing for the time being."""
    subscriptions.pause(_webhook(request, pk))
    messages.success(request, "It is paused. What happens meanwhile is kept for it.")
    return redirect("deployments:webhook", pk)


@require_POST
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    """Send again, first what was kept."""
    waiting = subscriptions.resume(_webhook(request, pk))
    messages.success(request, f"It goes on: {waiting} {'delivery waits' if waiting == 1 else 'deliveries wait'}.")
    return redirect("deployments:webhook", pk)


@require_POST
def ping(request: HttpRequest, pk: int) -> HttpResponse:
    """Say hello to the receiver."""
    row = _webhook(request, pk)
    subscriptions.ping(row)
    paused = " when it is resumed" if row.paused_at else ""
    messages.success(request, f"A ping is sent{paused}.")
    return redirect("deployments:webhook", pk)


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a webhook with its deliveries."""
    _webhook(request, pk).delete()
    messages.success(request, "The webhook is removed.")
    return redirect("deployments:webhooks")


def _delivery(request: HttpRequest, pk: int, delivery: int) -> WebhookDelivery:
    rows = WebhookDelivery.objects.select_related("redelivery_of").defer("redelivery_of__payload")
    return get_object_or_404(rows, pk=delivery, subscription=_webhook(request, pk).pk)


@never_cache
def delivery_detail(request: HttpRequest, pk: int, delivery: int) -> HttpResponse:
    """Show a delivery: the request, and the answer."""
    row = _delivery(request, pk, delivery)
    payload = json.dumps(json.loads(row.payload), indent=2, ensure_ascii=False)
    context = {
        "webhook": _webhook(request, pk),
        "delivery": row,
        "payload": payload[:_MOST_SHOWN],
        "payload_is_cut": len(payload) > _MOST_SHOWN,
        "request_headers": _lines(row.request_headers),
        "response_headers": _lines(row.response_headers),
    }
    return render(request, "deployments/webhook_delivery.html", context)


def _lines(headers: dict[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers.items())


@require_POST
def redeliver(request: HttpRequest, pk: int, delivery: int) -> HttpResponse:
    """Deliver the same once more."""
    again = subscriptions.redeliver(_delivery(request, pk, delivery))
    messages.success(request, "It is delivered once more.")
    return redirect("deployments:webhook-delivery", pk, again.pk)
