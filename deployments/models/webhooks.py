"""Outgoing webhooks: who is told of what happens, and what was sent to them."""

import uuid
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from deployments.encryption import EncryptedTextField
from deployments.models.workspaces import Workspace


class WebhookEvent(models.TextChoices):
    """What can be subscribed to, by the names of the header X-GitHub-Event."""

    DEPLOYMENT = "deployment", "A deployment begins"
    DEPLOYMENT_STATUS = "deployment_status", "A deployment gets another status"
    INCIDENT = "incident", "An incident is opened, edited, resolved, reopened, withdrawn or restored"
    REPOSITORY_DISPATCH = "repository_dispatch", "A client asks for a repository_dispatch"


class WebhookSubscriptionQuerySet(models.QuerySet["WebhookSubscription"]):
    def of_workspace(self, workspace: Workspace) -> "WebhookSubscriptionQuerySet":
        """Return those of a workspace without their secrets: one that cannot be read any more is listed too."""
        return self.filter(workspace=workspace).defer("secret")


class WebhookSubscription(models.Model):
    """An address that is told of events of a workspace."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField("payload URL", max_length=2000)
    # The host and port of the address, by which requests at once are counted.
    host = models.CharField(max_length=300, editable=False)
    secret = EncryptedTextField(editable=False)
    events = models.JSONField(default=list)
    is_active = models.BooleanField("active", default=True, help_text="Nothing is kept for one that is not.")
    # While it is paused, what happens is kept for it and sent when it goes on.
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    pause_reason = models.CharField(max_length=500, blank=True, default="", editable=False)
    # Since when every delivery has failed.
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    # Until when the receiver asked for quiet, by Retry-After.
    resting_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = WebhookSubscriptionQuerySet.as_manager()

    class Meta:
        verbose_name = "webhook"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"Webhook {self.pk} to {self.host}"

    @staticmethod
    def host_of(url: str) -> str:
        """Return the host and port of an address."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return f"{parts.hostname}:{port}"

    @property
    def shown_url(self) -> str:
        """The address as anybody may see it: the path of some is as good as a password."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}/…"


class DeliveryState(models.TextChoices):
    """How far a delivery has come."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookDelivery(models.Model):
    """One event for one subscriber, written in the transaction of what it tells of: the outbox."""

    subscription = models.ForeignKey(WebhookSubscription, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=40)
    action = models.CharField(max_length=100, blank=True, default="")
    # Of the event: all subscribers get the same one, and a redelivery has it again.
    guid = models.UUIDField(default=uuid.uuid4)
    # The text that is sent and signed.
    payload = models.TextField()
    # The deployment or incident of which something has still to be worked out before the first attempt.
    incomplete_id = models.BigIntegerField(null=True, editable=False)
    state = models.CharField(max_length=10, choices=DeliveryState, default=DeliveryState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, default=timezone.now)
    # Set by the first attempt that fails: after it no other is made.
    retry_until = models.DateTimeField(null=True)
    claimed_by = models.UUIDField(null=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)
    # Of the latest attempt.
    attempted_at = models.DateTimeField(null=True)
    request_headers = models.JSONField(default=dict)
    response_status = models.PositiveIntegerField(null=True)
    response_headers = models.JSONField(default=dict)
    response_body = models.TextField(blank=True, default="")
    duration_seconds = models.FloatField(null=True)
    error = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    redelivery_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="redeliveries")

    class Meta:
        verbose_name_plural = "webhook deliveries"
        ordering = ["-id"]
        indexes = [
            # What is due.
            models.Index(
                fields=["subscription", "next_attempt_at"], condition=Q(state="waiting"), name="webhook_delivery_due"
            ),
            # What is being sent.
            models.Index(
                fields=["claimed_until"], condition=Q(claimed_until__isnull=False), name="webhook_delivery_claimed"
            ),
            # The list of a subscription, newest first.
            models.Index(fields=["subscription", "-created_at", "-id"], name="webhook_delivery_newest"),
            # What is past its time.
            models.Index(fields=["created_at"], name="webhook_delivery_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event}{f'.{self.action}' if self.action else ''} {self.guid}"
