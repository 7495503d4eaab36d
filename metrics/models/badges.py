"""Badges: the metrics as small pictures for strangers."""

from django.db import models

from deployments.models import Workspace


class BadgeKey(models.Model):
    """Which links to badges of a workspace are good: those of its version. Without a row that is the first."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, primary_key=True, related_name="badge_key")
    version = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"version {self.version}"
