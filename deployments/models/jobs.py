"""Jobs: accepted requests, stored before they are answered. And the requests that were refused."""

import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone
from uuid_utils.compat import uuid7

from deployments.models.deployments import Deployment
from deployments.models.workspaces import ApiKey, Workspace


class JobStatus(models.TextChoices):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    ERROR = "ERROR"
    STOPPED = "STOPPED"


ENDED_STATUSES = [JobStatus.COMPLETE, JobStatus.ERROR, JobStatus.STOPPED]


class JobType(models.TextChoices):
    DEPLOYMENT = "DEPLOYMENT", "reported deployment"
    WORKSPACE_DEPLOY = "WORKSPACE_DEPLOY", "workspace deployment"
    GITHUB_WEBHOOK = "GITHUB_WEBHOOK", "GitHub webhook"
    GITHUB_HISTORY = "GITHUB_HISTORY", "history from GitHub"


class JobQuerySet(models.QuerySet["Job"]):
    def due(self, now: datetime.datetime) -> "JobQuerySet":
        """Return what a worker may take now."""
        return self.filter(status=JobStatus.QUEUED, available_at__lte=now)

    def asking_github(self, asking: bool) -> "JobQuerySet":
        """Return the jobs that ask GitHub's API, or all others."""
        return self.filter(type=JobType.GITHUB_HISTORY) if asking else self.exclude(type=JobType.GITHUB_HISTORY)

    def for_lists(self) -> "JobQuerySet":
        """Leave out the request body, which can have 10 MiB."""
        return self.defer("payload")


class Job(models.Model):
    """One accepted request. The row is the truth; the message broker only wakes the workers."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="jobs")
    api_key = models.ForeignKey(ApiKey, null=True, on_delete=models.SET_NULL, related_name="+")
    type = models.CharField(max_length=20, choices=JobType, default=JobType.DEPLOYMENT)
    status = models.CharField(max_length=10, choices=JobStatus, default=JobStatus.QUEUED)
    payload = models.JSONField(help_text="What was reported, after validation.")
    payload_bytes = models.PositiveIntegerField(default=0)
    # Of GitHub's deliveries: what they are about.
    event = models.CharField(max_length=100, blank=True, default="")
    repository_name = models.CharField(max_length=255, blank=True, default="")
    # What arrives with the same one again is the same job. Null where there is none.
    origin_key = models.CharField(max_length=255, null=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=5)
    created_at = models.DateTimeField(default=timezone.now)
    available_at = models.DateTimeField(default=timezone.now, help_text="Not tried before this moment.")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # Who works on it, and until when others leave it alone.
    claimed_by = models.UUIDField(null=True)
    claimed_until = models.DateTimeField(null=True)
    # How many workers died while they had it. Such a job is run by itself, so that it takes no others with it.
    workers_lost = models.PositiveSmallIntegerField(default=0)
    stop_requested = models.BooleanField(default=False)
    error = models.TextField(blank=True, default="", help_text="Why it failed, for people.")
    log = models.TextField(blank=True, default="", help_text="What happened to it, a line each.")
    # Null where none was sent: NULLs never collide.
    idempotency_key = models.CharField(max_length=300, null=True)
    body_digest = models.CharField(max_length=64, blank=True, default="")
    deployment = models.ForeignKey(Deployment, null=True, on_delete=models.SET_NULL, related_name="jobs")

    objects = JobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "idempotency_key"], name="one_job_of_an_idempotency_key"),
            models.UniqueConstraint(fields=["workspace", "origin_key"], name="one_job_of_an_origin"),
        ]
        indexes = [
            # What to do next. Partial, so that it stays small however many jobs have ended.
            models.Index(fields=["available_at", "id"], condition=Q(status="QUEUED"), name="job_queued"),
            # Jobs whose worker died, and the ones that a worker has just claimed.
            models.Index(fields=["claimed_by"], condition=Q(status="RUNNING"), name="job_running"),
            # Lists, newest first.
            models.Index(fields=["workspace", "-created_at"], name="job_newest"),
            models.Index(
                fields=["workspace", "repository_name", "-created_at"],
                condition=Q(type="GITHUB_WEBHOOK"),
                name="job_delivery",
            ),
            # The latest deliveries, asked for every few seconds while somebody watches.
            models.Index(
                fields=["workspace", "-created_at"], condition=Q(type="GITHUB_WEBHOOK"), name="job_newest_delivery"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED_STATUSES

    def note(self, line: str) -> None:
        """Add a line to the job's log. The caller saves."""
        self.log += f"{timezone.now():%Y-%m-%dT%H:%M:%S.%fZ} {line}\n"

    def log_lines(self, start: int = 0) -> list[str]:
        """Return the lines of the log from line `start` on, counted from 0."""
        return self.log.splitlines()[start:]


class RefusedRequest(models.Model):
    """A request that was not accepted, kept for a while so that whoever sets up a CI script can see why."""

    workspace = models.ForeignKey(Workspace, null=True, on_delete=models.CASCADE, related_name="refused_requests")
    key_prefix = models.CharField(max_length=16, blank=True, default="")
    address = models.CharField(max_length=64, blank=True, default="")
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=300)
    http_status = models.PositiveSmallIntegerField()
    title = models.CharField(max_length=200)
    errors = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["workspace", "-created_at"], name="refused_newest"),
            # The daily clearing-out.
            models.Index(fields=["created_at"], name="refused_age"),
        ]

    def __str__(self) -> str:
        return f"{self.http_status} {self.method} {self.path}"
