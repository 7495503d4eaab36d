"""Incidents: production was disturbed, from one moment until another."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from deployments.models.catalog import Application, Environment, Repository
from deployments.models.deployments import Deployment
from deployments.models.workspaces import Workspace


class Incident(models.Model):
    """Something that went wrong in production, as a person, a monitor or a GitHub issue says."""

    class Source(models.TextChoices):
        API = "api", "API"
        GITHUB = "github", "GitHub issue"
        PERSON = "person", "person"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="incidents")
    repository = models.ForeignKey(
        Repository, null=True, blank=True, on_delete=models.SET_NULL, related_name="incidents"
    )
    application = models.ForeignKey(
        Application, null=True, blank=True, on_delete=models.SET_NULL, related_name="incidents"
    )
    environment = models.ForeignKey(
        Environment, null=True, blank=True, on_delete=models.SET_NULL, related_name="incidents"
    )
    title = models.CharField(max_length=500)
    url = models.CharField(max_length=2000, blank=True, default="")
    started_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=10, choices=Source, default=Source.GITHUB, editable=False)
    external_id = models.CharField(max_length=100, blank=True, default="", editable=False)
    # How late the event was that the facts are from. An issue that has lost its label is no incident any more.
    facts_at = models.DateTimeField(default=timezone.now, editable=False)
    facts_order = models.CharField(max_length=40, default="", editable=False)
    is_withdrawn = models.BooleanField(default=False, editable=False)
    # The deployment that caused it: the latest one before it within the window, unless somebody said which, or none.
    cause = models.ForeignKey(
        Deployment, null=True, blank=True, on_delete=models.SET_NULL, related_name="incidents_caused"
    )
    cause_is_pinned = models.BooleanField(default=False, editable=False)
    # Set where its cause has to be found anew, and what follows from that.
    cause_pending = models.BooleanField(default=False, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-started_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "source", "external_id"],
                condition=~Q(external_id=""),
                name="one_incident_of_an_issue",
            )
        ]
        indexes = [
            models.Index(fields=["workspace", "-started_at"], name="incident_newest"),
            models.Index(fields=["workspace"], condition=Q(cause_pending=True), name="incident_cause_pending"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None

    @property
    def duration_seconds(self) -> int:
        """How long it took, or has taken so far."""
        return max(0, int(((self.resolved_at or timezone.now()) - self.started_at).total_seconds()))

    @property
    def is_issue(self) -> bool:
        """Whether a GitHub issue decides what it is called, when it began and when it ended."""
        return self.source == self.Source.GITHUB
