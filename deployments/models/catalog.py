"""What can be deployed and where: repositories, applications, environments, tracks."""

from typing import Any

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import timezone

from deployments.models.workspaces import Workspace
from deployments.names import is_production_name, name_key

# Folding the case of a text can triple its length (U+0390).
KEY_LENGTH = 3 * 255


class Repository(models.Model):
    """A Git repository, known by its full name `owner/name`."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="repositories")
    full_name = models.CharField(max_length=255)
    full_name_key = models.CharField(max_length=KEY_LENGTH, editable=False)
    default_branch = models.CharField(max_length=255, blank=True, default="")
    default_branch_sha = models.CharField(
        max_length=64, blank=True, default="", help_text="The newest known commit of the default branch."
    )
    # GitHub's id, by which it stays the same repository whatever it is called.
    github_id = models.BigIntegerField("GitHub's id", null=True, blank=True, editable=False)
    is_archived = models.BooleanField(default=False, editable=False)
    # How late the event was that its name and the other facts are from.
    facts_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "repositories"
        ordering = ["full_name"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "full_name_key"], name="one_repository_of_a_name"),
            models.UniqueConstraint(fields=["workspace", "github_id"], name="one_repository_of_a_github_id"),
        ]

    def __str__(self) -> str:
        return self.full_name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.full_name_key = name_key(self.full_name)
        super().save(*args, **kwargs)

    @property
    def short_name(self) -> str:
        """The name without its owner."""
        return self.full_name.rpartition("/")[2]


class FormerName(models.Model):
    """A name that a repository had before it was renamed or transferred: reports under it are still its own."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="former_names")
    full_name_key = models.CharField(max_length=KEY_LENGTH)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "full_name_key"], name="one_owner_of_a_name")]

    def __str__(self) -> str:
        return self.full_name_key


class Application(models.Model):
    """Something deployable, built from a repository or from one directory of it."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="applications")
    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="applications")
    name = models.CharField(max_length=255)
    name_key = models.CharField(max_length=KEY_LENGTH, editable=False)
    monorepo_path = models.CharField(
        "monorepo path",
        max_length=255,
        blank=True,
        default="",
        help_text="The directory it is built from. A commit that touches no file below it is none of its changes.",
    )
    monorepo_path_is_pinned = models.BooleanField(
        "keep this path", default=False, help_text="Use this path whatever path a deployment reports."
    )
    incident_window_hours = models.PositiveIntegerField(
        "hours until an incident",
        null=True,
        blank=True,
        validators=[MaxValueValidator(24 * 365)],
        help_text="An incident that begins later than so many hours after a deployment is not blamed on it."
        " Empty: as the workspace is set.",
    )
    # What GitHub's deployments are of that name no application. It is called like the repository.
    is_default = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["repository", "name_key"], name="one_application_of_a_name"),
            models.UniqueConstraint(
                fields=["repository"], condition=models.Q(is_default=True), name="one_default_application"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.name_key = name_key(self.name)
        super().save(*args, **kwargs)


class Environment(models.Model):
    """Where an application runs."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="environments")
    name = models.CharField(max_length=255)
    name_key = models.CharField(max_length=KEY_LENGTH, editable=False)
    is_production = models.BooleanField(
        "production",
        blank=True,
        help_text="The metrics are about production unless another environment is chosen.",
    )
    # A person chose; no name and no flag of a deployment changes that.
    is_production_is_pinned = models.BooleanField(default=False, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-is_production", "name"]
        constraints = [models.UniqueConstraint(fields=["workspace", "name_key"], name="one_environment_of_a_name")]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if kwargs and "is_production" not in kwargs and "name" in kwargs:
            kwargs["is_production"] = is_production_name(kwargs["name"])
        super().__init__(*args, **kwargs)

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.name_key = name_key(self.name)
        super().save(*args, **kwargs)


class TrackQuerySet(models.QuerySet["Track"]):
    def of_repository(self, repository: Repository | int) -> "TrackQuerySet":
        return self.filter(application__in=Application.objects.filter(repository=repository).values("pk"))

    def count_waiting_again(self) -> None:
        """Have the changes that wait for these tracks counted anew. The caller holds a transaction."""
        # In one order, so that two workers never wait for one another.
        list(self.select_for_update(no_key=True).order_by("pk").values_list("pk"))
        self.update(waiting_pending=True)


class Track(models.Model):
    """One application in one environment: the line along which its deployments follow one another."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="tracks")
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="tracks")
    # Everything that the baseline deployment contained is a set that nobody wants to write down: it may be ten
    # years of history. It is marked in ShippedCommit as far as it has been walked, and the commits at which
    # walking stopped stand here, each with its generation (see lineage.new_commits).
    baseline_frontier = models.JSONField(default=list, editable=False)
    # Set where the changes of the whole track have to be worked out anew: another baseline, another path.
    rebuild_pending = models.BooleanField(default=False, editable=False)
    # Set where all verdicts of the track have to be found anew: the rules have changed.
    judging_pending = models.BooleanField(default=False, editable=False)
    # What is in the repository's default branch and not here yet: how many changes, and since when the oldest waits.
    # NULL where nobody told of the branch. Worked out by deployments.waiting.
    waiting_changes = models.PositiveIntegerField(null=True, editable=False)
    waiting_since = models.DateTimeField(null=True, editable=False)
    waiting_pending = models.BooleanField(default=False, editable=False)
    # When a client of the GitHub-style API deleted the environment of this repository. It is not listed there until
    # something is deployed to it again; nothing else changes.
    environment_deleted_at = models.DateTimeField(null=True, editable=False)

    objects = TrackQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["application", "environment"], name="one_track_each")]
        indexes = [
            # The sweep looks for tracks that a crash left unfinished.
            models.Index(fields=["id"], condition=models.Q(rebuild_pending=True), name="track_rebuild_pending"),
            models.Index(fields=["id"], condition=models.Q(judging_pending=True), name="track_judging_pending"),
            models.Index(fields=["id"], condition=models.Q(waiting_pending=True), name="track_waiting_pending"),
        ]

    def __str__(self) -> str:
        return f"{self.application} in {self.environment}"
