"""Commits, and which deployment brought which of them to which environment."""

from django.db import models

from deployments.models.catalog import Repository, Track
from deployments.models.deployments import Deployment
from deployments.models.pull_requests import PullRequest


class Commit(models.Model):
    """A commit of a repository, as far as it is known."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="commits")
    sha = models.CharField(max_length=70)
    # The parents' hashes with a space between them. NULL where nobody told: such a commit ends what is known.
    parents = models.TextField(null=True, blank=True)
    parents_are_inferred = models.BooleanField(default=False)
    # Git's corrected commit date (gitformat-commit-graph, generation number version 2): the committer date in
    # seconds, or one more than the highest of the parents where that is later. So a commit always stands above
    # its ancestors, and what is below a commit cannot reach it.
    generation = models.BigIntegerField()
    authored_at = models.DateTimeField(null=True, blank=True)
    committed_at = models.DateTimeField(null=True, blank=True)
    author = models.CharField(max_length=255, blank=True, default="")
    message = models.TextField(blank=True, default="")
    # The paths it touched, one a line. NULL where nobody told.
    files = models.TextField(null=True, blank=True)
    # GitHub's API was asked for it; an import writes many rows without naming this.
    is_asked_for = models.BooleanField(default=False, db_default=False, editable=False)
    # The number of the pull request that its message names.
    pull_request_number = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "sha"], name="one_commit_of_a_sha")]
        indexes = [
            # Walking a graph from the top down, a window at a time.
            models.Index(fields=["repository", "-generation"], name="commit_generation"),
            models.Index(
                fields=["repository", "pull_request_number"],
                condition=models.Q(pull_request_number__isnull=False),
                name="commit_of_pull_request",
            ),
        ]

    def __str__(self) -> str:
        return self.sha[:12]

    @property
    def short_sha(self) -> str:
        return self.sha[:7]

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.partition("\n")[0]


class MissingParent(models.Model):
    """A parent that a known commit names and that is not known itself."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="+")
    sha = models.CharField(max_length=70)
    child = models.ForeignKey(Commit, on_delete=models.CASCADE, related_name="missing_parents")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["child", "sha"], name="one_missing_parent_each")]
        indexes = [models.Index(fields=["repository", "sha"], name="missing_parent_of_repository")]

    def __str__(self) -> str:
        return self.sha[:12]


class ShippedCommit(models.Model):
    """Marks the deployment that first brought a commit to a track, with whatever that commit counts as there."""

    class Outcome(models.TextChoices):
        CHANGE = "change"
        MERGE = "merge", "merge commit"
        OUTSIDE_PATH = "outside_path", "outside the monorepo path"
        BASELINE = "baseline", "part of the baseline"

    track = models.ForeignKey(Track, on_delete=models.CASCADE, related_name="+")
    commit = models.ForeignKey(Commit, on_delete=models.CASCADE, related_name="shipped_commits")
    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="shipped_commits")
    outcome = models.CharField(max_length=12, choices=Outcome)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["track", "commit"], name="shipped_once_on_a_track")]

    def __str__(self) -> str:
        return f"{self.outcome} of deployment {self.deployment_id}"


class Change(models.Model):
    """What a deployment shipped: a pull request where one is known, else a single commit.

    Of a pull request `commit` is the latest of its commits that the deployment brought. The stages add up to the
    lead time; a single commit has none.
    """

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="changes")
    commit = models.ForeignKey(Commit, on_delete=models.CASCADE, related_name="changes")
    pull_request = models.ForeignKey(
        PullRequest, null=True, blank=True, on_delete=models.SET_NULL, related_name="changes"
    )
    started_at = models.DateTimeField(null=True, blank=True)
    lead_time_seconds = models.BigIntegerField(null=True, blank=True)
    coding_seconds = models.BigIntegerField(null=True, blank=True)
    draft_seconds = models.BigIntegerField(null=True, blank=True)
    waiting_for_review_seconds = models.BigIntegerField(null=True, blank=True)
    review_seconds = models.BigIntegerField(null=True, blank=True)
    waiting_for_deployment_seconds = models.BigIntegerField(null=True, blank=True)
    # The change claims to have begun after it was deployed: its author's clock was ahead.
    clock_was_ahead = models.BooleanField(default=False)
    # It counts although nobody knows whether it touched the monorepo path.
    files_are_unknown = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["deployment", "commit"], name="one_change_of_a_commit")]

    def __str__(self) -> str:
        return f"{self.commit_id} in deployment {self.deployment_id}"


class HistoryGap(models.Model):
    """A commit that a deployment's history leads to and that nobody has told of yet.

    When it arrives, the changes of the deployment are worked out again.
    """

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="history_gaps")
    sha = models.CharField(max_length=70)
    # It keeps only from being known how the deployment relates to the one before it, not what it brought.
    concerns_kind_only = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["deployment", "sha", "concerns_kind_only"], name="one_gap_of_a_sha")
        ]
        indexes = [models.Index(fields=["repository", "sha"], name="gap_of_repository")]

    def __str__(self) -> str:
        return self.sha[:12]
