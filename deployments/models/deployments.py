"""Deployments and the history of their statuses."""

import datetime
from typing import Any

from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone

from deployments.models.catalog import Application, Environment, Track
from deployments.models.workspaces import Workspace
from deployments.signals import Place, tell_days_changed


class DeploymentState(models.TextChoices):
    """The states of a deployment, in GitHub's words."""

    SUCCESS = "success"
    PENDING = "pending"
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    FAILURE = "failure"
    ERROR = "error"
    INACTIVE = "inactive"
    WAITING = "waiting"


# GitHub's webhooks tell it of deployments that wait for an approval; its API refuses it, and so does ours.
REPORTABLE_STATES = [state for state in DeploymentState if state != DeploymentState.WAITING]


UNFINISHED_STATES = [
    DeploymentState.PENDING,
    DeploymentState.QUEUED,
    DeploymentState.IN_PROGRESS,
    DeploymentState.WAITING,
]


FAILED_STATES = [DeploymentState.FAILURE, DeploymentState.ERROR]


class ChangeKind(models.TextChoices):
    """How a deployment relates to what ran on its track before."""

    BASELINE = "baseline"
    FORWARD = "forward"
    ROLLBACK = "rollback"
    REDEPLOY = "redeploy"
    DIVERGED = "diverged"
    UNKNOWN = "unknown"


class DeploymentQuerySet(models.QuerySet["Deployment"]):
    def live(self) -> "DeploymentQuerySet":
        """Leave out what was archived."""
        return self.filter(archived_at=None)

    def reached(self) -> "DeploymentQuerySet":
        """Return the deployments that reached their environment: successful and not archived."""
        return self.filter(reached_environment=True, archived_at=None)

    def in_production(self) -> "DeploymentQuerySet":
        return self.filter(environment__is_production=True)

    def during(self, start: datetime.datetime, end: datetime.datetime) -> "DeploymentQuerySet":
        """Return the deployments of `start <= deployed_at < end`."""
        return self.filter(deployed_at__gte=start, deployed_at__lt=end)

    def in_track_order(self) -> "DeploymentQuerySet":
        """Order as the rules of lineage do: by time, then by id."""
        return self.order_by("deployed_at", "id")

    def newest_first(self) -> "DeploymentQuerySet":
        return self.order_by("-deployed_at", "-id")

    def running_on(self, tracks: models.QuerySet[Track]) -> "DeploymentQuerySet":
        """Return what runs on tracks: of each the latest deployment that reached its environment."""
        newest = Deployment.objects.reached().filter(track=OuterRef("pk")).newest_first().values("pk")[:1]
        running = tracks.annotate(running=Subquery(newest)).values("running")
        return self.filter(pk__in=running).newest_first()

    def before(self, deployment: "Deployment") -> "DeploymentQuerySet":
        """Return the deployments of the same track that stand before this one."""
        earlier = Q(deployed_at__lt=deployment.deployed_at) | Q(
            deployed_at=deployment.deployed_at, id__lt=deployment.pk
        )
        # The first condition says nothing new, but lets the index find the place.
        return self.filter(earlier, deployed_at__lte=deployment.deployed_at, track_id=deployment.track_id)

    def after(self, deployment: "Deployment") -> "DeploymentQuerySet":
        """Return the deployments of the same track that stand after this one."""
        later = Q(deployed_at__gt=deployment.deployed_at) | Q(
            deployed_at=deployment.deployed_at, id__gt=deployment.pk
        )
        return self.filter(later, deployed_at__gte=deployment.deployed_at, track_id=deployment.track_id)


class Deployment(models.Model):
    """One application version put into one environment at one moment."""

    class Source(models.TextChoices):
        API = "api", "API"
        GIT = "git", "Git clone"
        GITHUB = "github", "GitHub deployment"
        RELEASE = "release", "release"
        TAG = "tag", "tag"
        WORKFLOW = "workflow", "workflow run"
        MERGE = "merge", "merged pull request"
        PUSH = "push", "push"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="deployments")
    track = models.ForeignKey(Track, on_delete=models.CASCADE, related_name="deployments")
    # Both are the track's; they stand here so that filters need no join.
    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="deployments")
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="deployments")
    version = models.CharField(max_length=255)
    commit_sha = models.CharField("commit", max_length=70)
    description = models.TextField(blank=True, default="")
    author = models.CharField(max_length=255, blank=True, default="")
    monorepo_path = models.CharField(
        max_length=255, null=True, blank=True, help_text="As reported; empty where the report named none."
    )
    environment_url = models.CharField(max_length=2000, blank=True, default="")
    log_url = models.CharField(max_length=2000, blank=True, default="")
    state = models.CharField(max_length=12, choices=DeploymentState, default=DeploymentState.SUCCESS)
    # Whether it counts as having reached the environment. `inactive` means superseded, not failed, so this is
    # not the same as state == success.
    reached_environment = models.BooleanField(default=False, editable=False)
    deployed_at = models.DateTimeField()
    deployed_at_is_stated = models.BooleanField(default=False, editable=False)
    source = models.CharField(max_length=10, choices=Source, default=Source.API, editable=False)
    # All that it was heard of from. The first is not always the most telling one: see deployments.recording.
    sources = models.JSONField(default=list, editable=False)
    # As GitHub has them: what was asked to be deployed, and for how long the environment is meant to be there.
    ref = models.CharField(max_length=255, blank=True, default="", editable=False)
    task = models.CharField(max_length=255, blank=True, default="", editable=False)
    is_transient = models.BooleanField(default=False, editable=False)
    # As it was created at GitHub or through the GitHub-style API: an object, or a text; NULL where nobody said.
    payload = models.JSONField(null=True, blank=True, editable=False)
    original_environment = models.CharField(max_length=255, blank=True, default="", db_default="", editable=False)
    production_environment = models.BooleanField(null=True, editable=False)
    creator = models.CharField(max_length=255, blank=True, default="", db_default="", editable=False)
    fixes_version = models.CharField(
        max_length=255,
        blank=True,
        default="",
        editable=False,
        help_text="The version that it was deployed to repair.",
    )
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    # Worked out by deployments.changes, never entered.
    change_kind = models.CharField(max_length=10, choices=ChangeKind, blank=True, default="", editable=False)
    changes_count = models.PositiveIntegerField(default=0, editable=False)
    history_is_complete = models.BooleanField(default=True, editable=False)
    lineage_pending = models.BooleanField(default=False, editable=False)
    # Worked out by deployments.verdicts, never entered: see FailureFinding for why.
    has_failed = models.BooleanField(default=False, editable=False)
    repaired_at = models.DateTimeField(null=True, blank=True, editable=False)
    repaired_by = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="repaired", editable=False
    )
    is_rework = models.BooleanField("unplanned, because of a failure", default=False, editable=False)
    # It says something of deployments before it: it is a rollback, ships a revert, or names a version that it fixes.
    refers_back = models.BooleanField(default=False, editable=False)
    verdict_pending = models.BooleanField(default=False, editable=False)
    # What of its history GitHub's API was asked for already, so that it is not asked again in vain.
    history_asked_for = models.CharField(max_length=64, blank=True, default="", editable=False)

    objects = DeploymentQuerySet.as_manager()
    _was_at: Place | None = None

    class Meta:
        constraints = [
            # However it was reported, the same version at the same stated moment is the same deployment.
            models.UniqueConstraint(
                fields=["track", "version", "commit_sha", "deployed_at"],
                condition=Q(deployed_at_is_stated=True),
                name="one_deployment_of_a_version_at_a_stated_time",
            )
        ]
        indexes = [
            # The neighbours of a deployment on its track.
            models.Index(fields=["track", "deployed_at", "id"], name="deployment_track_order"),
            # The deployment that a report without a stated time goes on with.
            models.Index(fields=["track", "version"], name="deployment_version"),
            # What a deployment returns to.
            models.Index(fields=["track", "commit_sha"], name="deployment_commit"),
            # Lists, newest first.
            models.Index(fields=["workspace", "-deployed_at", "-id"], name="deployment_newest"),
            # The metrics of a window over chosen environments.
            models.Index(
                fields=["environment", "deployed_at"],
                condition=Q(reached_environment=True, archived_at=None),
                name="deployment_reached",
            ),
            # Whether anybody but the API tells of a track.
            models.Index(fields=["track"], condition=~Q(source="api"), name="deployment_told_elsewhere"),
            # What derivation has still to do; the sweep looks here too.
            models.Index(
                fields=["track", "deployed_at"], condition=Q(lineage_pending=True), name="deployment_pending"
            ),
            # What verdicts have still to be found, and which depend on what was there before.
            models.Index(fields=["track"], condition=Q(verdict_pending=True), name="deployment_verdict_pending"),
            models.Index(
                fields=["track", "deployed_at"], condition=Q(refers_back=True), name="deployment_refers_back"
            ),
            # Those that failed, newest first; and by status alone: no other index has them.
            models.Index(
                fields=["workspace", "-deployed_at"], condition=Q(has_failed=True), name="deployment_has_failed"
            ),
            models.Index(
                fields=["environment", "deployed_at"],
                condition=Q(reached_environment=False, has_failed=True, archived_at=None),
                name="deployment_failed_attempt",
            ),
            # What no metric counts.
            models.Index(
                fields=["environment", "deployed_at"],
                condition=Q(reached_environment=False, has_failed=False, archived_at=None),
                name="deployment_unfinished",
            ),
            models.Index(
                fields=["environment", "deployed_at"],
                condition=Q(archived_at__isnull=False),
                name="deployment_archived",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} of {self.commit_sha[:12]}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        tell_days_changed({self._was_at or self.place, self.place})
        self._was_at = self.place

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        tell_days_changed([self._was_at or self.place])
        return super().delete(*args, **kwargs)

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> "Deployment":
        """Remember where and when it was, to tell of that day too when it is saved elsewhere."""
        deployment = super().from_db(*args, **kwargs)
        known = deployment.__dict__
        if {"environment_id", "deployed_at", "application_id"} <= known.keys():
            deployment._was_at = deployment.place
        return deployment

    @property
    def place(self) -> Place:
        """Where and when it is: what is told where it changes."""
        return self.environment_id, self.deployed_at, self.application_id

    def previous(self) -> "Deployment | None":
        """Return what ran on the track before it. Causes a query."""
        return Deployment.objects.reached().before(self).order_by("-deployed_at", "-id").first()

    @property
    def counts(self) -> bool:
        """Whether it reached its environment and was not archived: see `DeploymentQuerySet.reached`."""
        return self.reached_environment and self.archived_at is None

    @property
    def short_sha(self) -> str:
        return self.commit_sha[:7]


class DeploymentStatus(models.Model):
    """One entry in the history of a deployment."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="statuses")
    state = models.CharField(max_length=12, choices=DeploymentState)
    description = models.CharField(max_length=255, blank=True, default="")
    environment_url = models.CharField(max_length=2000, blank=True, default="")
    log_url = models.CharField(max_length=2000, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    external_id = models.BigIntegerField(null=True, blank=True, help_text="GitHub's id of it.")
    # Where GitHub says that the deployment now is; empty where it is where it was.
    environment_name = models.CharField(max_length=255, blank=True, default="")
    creator = models.CharField(max_length=255, blank=True, default="", db_default="", editable=False)

    class Meta:
        verbose_name_plural = "deployment statuses"
        constraints = [models.UniqueConstraint(fields=["deployment", "external_id"], name="one_status_of_an_id")]
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.state} at {self.created_at:%Y-%m-%d %H:%M:%S}"

    @staticmethod
    def reaches_environment(states: list[Any]) -> bool:
        """Tell from the states, oldest first, whether the deployment reached its environment.

        `inactive` says that another took its place and changes nothing: clients set it even on the deployment
        that they then report as successful.
        """
        telling = [state for state in states if state != DeploymentState.INACTIVE]
        return bool(telling) and telling[-1] == DeploymentState.SUCCESS
