"""Goals: what a workspace wants of its own metrics, against its own past."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from deployments.models import Application, Environment, Team, Workspace


class Metric(models.TextChoices):
    """DORA's five metrics."""

    DEPLOYMENT_FREQUENCY = "deployment_frequency", "Deployment frequency"
    CHANGE_LEAD_TIME = "change_lead_time", "Change lead time"
    RECOVERY_TIME = "failed_deployment_recovery_time", "Failed deployment recovery time"
    CHANGE_FAIL_RATE = "change_fail_rate", "Change fail rate"
    REWORK_RATE = "deployment_rework_rate", "Deployment rework rate"


class Goal(models.Model):
    """A value that a metric is meant to reach: at least for the frequency, at most for the others.

    `target` is deployments per day, seconds (of the median), or a share from 0 to 1.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="goals")
    metric = models.CharField(max_length=31, choices=Metric)
    target = models.FloatField()
    # What it is about; all production where none is named.
    environment = models.ForeignKey(Environment, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    application = models.ForeignKey(Application, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["metric", "id"]

    def __str__(self) -> str:
        return f"{self.get_metric_display()}: {self.target:g}"
