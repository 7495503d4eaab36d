"""The API of outgoing webhooks on /v1: who is told of what happens, and what was delivered."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api.base import ApiView
from deployments.api.pagination import NewestFirst
from deployments.api.problems import Conflict
from deployments.api.representations import absolute, moment
from deployments.api.webhook_body import read_webhook
from deployments.models import Scope, WebhookDelivery, WebhookSubscription
from deployments.webhooks import subscriptions

_WRITE: list[str] = [Scope.WEBHOOKS_WRITE]
_READ: list[str] = [Scope.WEBHOOKS_READ]
_ONLY_IN_FULL = ("payload", "request_headers", "response_headers", "response_body")


def shown_webhook(row: WebhookSubscription) -> dict[str, Any]:
    """Return a webhook without its secret."""
    return {
        "id": row.pk,
        "url": row.url,
        "events": row.events,
        "active": row.is_active,
        "paused": row.paused_at is not None,
        "pausedAt": moment(row.paused_at),
        "pauseReason": row.pause_reason or None,
        "failingSince": moment(row.failing_since),
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
    }


def shown_delivery(row: WebhookDelivery) -> dict[str, Any]:
    """Return a delivery as lists show it."""
    return {
        "id": row.pk,
        "guid": str(row.guid),
        "event": row.event,
        "action": row.action or None,
        "state": row.state,
        "statusCode": row.response_status,
        "error": row.error or None,
        "attempts": row.attempts,
        "durationSeconds": row.duration_seconds,
        "createdAt": moment(row.created_at),
        "attemptedAt": moment(row.attempted_at),
        "nextAttemptAt": moment(row.next_attempt_at),
        "redeliveryOf": row.redelivery_of_id,
    }


def _in_full(row: WebhookDelivery) -> dict[str, Any]:
    answered = row.response_status is not None
    return {
        **shown_delivery(row),
        "request": {"headers": row.request_headers, "payload": row.payload},
        "response": {"headers": row.response_headers, "body": row.response_body} if answered else None,
    }


class Webhooks(ApiView):
    """GET lists the webhooks, POST adds one: the secret that was made for it is in the answer, and nowhere else."""

    required_scopes = {"GET": _READ, "POST": _WRITE}

    def get(self, request: Request) -> Response:
        rows = WebhookSubscription.objects.of_workspace(self.workspace)
        return Response({"results": [shown_webhook(row) for row in rows], "next": None})

    def post(self, request: Request) -> Response:
        facts, secret, is_paused = read_webhook(self.json_body())
        secret = secret or subscriptions.new_secret()
        try:
            row = subscriptions.create(self.workspace, secret=secret, created_by=self.api_key.created_by, **facts)
        except subscriptions.TooMany as error:
            raise Conflict(str(error)) from error
        if is_paused:
            subscriptions.pause(row)
            row.refresh_from_db(fields=["paused_at", "pause_reason"])
        location = absolute(request, reverse("v1-webhook", args=[row.pk]))
        return Response({**shown_webhook(row), "secret": secret}, status=201, headers={"Location": location})


class _OneWebhook(ApiView):
    def webhook(self, id: int) -> WebhookSubscription:  # the route's word
        """Return the webhook of this id, if it is this workspace's. Raises Http404."""
        rows = WebhookSubscription.objects.of_workspace(self.workspace).select_related("workspace")
        row = rows.filter(pk=id).first() if id < 2**63 else None
        if row is None:
            raise Http404
        return row

    def deliveries(self, id: int) -> QuerySet[WebhookDelivery]:
        """Return the deliveries of a webhook."""
        return WebhookDelivery.objects.filter(subscription=self.webhook(id).pk)

    def delivery(self, id: int, delivery_id: int) -> WebhookDelivery:
        """Return a delivery of a webhook. Raises Http404."""
        row = self.deliveries(id).filter(pk=delivery_id).first() if delivery_id < 2**63 else None
        if row is None:
            raise Http404
        return row


class WebhookDetail(_OneWebhook):
    """GET shows a webhook, PATCH changes, pauses or resumes it, DELETE removes it with its deliveries."""

    required_scopes = {"GET": _READ, "PATCH": _WRITE, "DELETE": _WRITE}

    def get(self, request: Request, id: int) -> Response:
        return Response(shown_webhook(self.webhook(id)))

    def patch(self, request: Request, id: int) -> Response:
        row = self.webhook(id)
        facts, secret, is_paused = read_webhook(self.json_body(), row)
        if facts or secret:
            subscriptions.change(row, secret=secret, **facts)
        if is_paused:
            subscriptions.pause(row)
        elif is_paused is False and row.paused_at is not None:
            subscriptions.resume(row)
        return Response(shown_webhook(self.webhook(id)))

    def delete(self, request: Request, id: int) -> Response:
        self.webhook(id).delete()
        return Response(status=204)


class WebhookPing(_OneWebhook):
    """POST says hello to the receiver."""

    required_scopes = {"POST": _WRITE}

    def post(self, request: Request, id: int) -> Response:
        return Response(shown_delivery(subscriptions.ping(self.webhook(id))), status=202)


class WebhookDeliveries(_OneWebhook):
    """GET lists what was delivered to a webhook, the latest first."""

    required_scopes = {"GET": _READ}

    def get(self, request: Request, id: int) -> Response:
        pages = NewestFirst()
        pages.ordering = ("-created_at", "-id")
        rows = self.deliveries(id).defer(*_ONLY_IN_FULL)
        page = pages.paginate_queryset(rows, request, self)
        return pages.get_paginated_response([shown_delivery(row) for row in page or ()])


class WebhookDeliveryDetail(_OneWebhook):
    """GET shows a delivery with the request and the answer."""

    required_scopes = {"GET": _READ}

    def get(self, request: Request, id: int, delivery_id: int) -> Response:
        return Response(_in_full(self.delivery(id, delivery_id)))


class WebhookRedelivery(_OneWebhook):
    """POST delivers the same once more."""

    required_scopes = {"POST": _WRITE}

    def post(self, request: Request, id: int, delivery_id: int) -> Response:
        again = subscriptions.redeliver(self.delivery(id, delivery_id))
        return Response(shown_delivery(again), status=202)
