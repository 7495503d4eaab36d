"""Digests: the week in a message."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from deployments.encryption import EncryptedTextField
from deployments.models import Team, Workspace


class Digest(models.Model):
    """Somebody who is sent the metrics of each week, by e-mail or into a chat."""

    class Kind(models.TextChoices):
        EMAIL = "email", "E-mail"
        SLACK = "slack", "Slack-compatible webhook"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="digests")
    kind = models.CharField(max_length=5, choices=Kind)
    # An e-mail address, or a webhook's URL: whoever knows that can write into the chat, so it is kept encrypted.
    address = EncryptedTextField()
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    weekday = models.PositiveSmallIntegerField(default=1, help_text="1 for Monday to 7 for Sunday.")
    hour = models.PositiveSmallIntegerField(default=8, help_text="In the workspace's time zone.")
    is_paused = models.BooleanField(default=False)
    # The last day of the week that was told of last.
    sent_for = models.DateField(null=True, editable=False)
    sent_at = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    next_attempt_at = models.DateTimeField(null=True, editable=False)
    last_error = models.CharField(max_length=500, blank=True, default="", editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} digest {self.pk}"
