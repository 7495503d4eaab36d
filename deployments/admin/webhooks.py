"""Outgoing webhooks for operators, who see everything but the secrets. People change them on their pages."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from deployments.admin.base import Kept, LargeTable, ReadOnly
from deployments.models import WebhookDelivery, WebhookSubscription


@admin.register(WebhookSubscription)
class WebhookSubscriptionAdmin(ReadOnly, Kept, admin.ModelAdmin):  # type: ignore[type-arg]
    """Webhooks, without their secrets."""

    list_display = ["host", "workspace", "is_active", "paused_at", "failing_since", "created_at"]
    list_filter = [
        "is_active",
        ("paused_at", admin.EmptyFieldListFilter),
        ("failing_since", admin.EmptyFieldListFilter),
        "workspace",
    ]
    list_select_related = ["workspace"]
    search_fields = ["host"]
    fields = [
        "workspace", "host", "events", "is_active", "paused_at", "pause_reason", "failing_since", "resting_until",
        "created_by", "created_at", "updated_at",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookSubscription]:
        """Leave out what is secret: a row is shown even where it can no longer be read."""
        return super().get_queryset(request).defer("secret")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(LargeTable, ReadOnly, Kept, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    """What was sent, and what came back."""

    list_display = ["created_at", "host", "event", "action", "state", "attempts", "response_status", "error"]
    list_filter = ["state", "event"]
    exclude = ["claimed_by"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        """Leave out the secrets of the webhooks, and what is large until a single delivery is shown."""
        rows = super().get_queryset(request).select_related("subscription").defer("subscription__secret")
        return rows.defer("payload", "response_body")

    @admin.display(description="to")
    def host(self, delivery: Any) -> str:
        """Return whom it is for."""
        return str(delivery.subscription.host)
