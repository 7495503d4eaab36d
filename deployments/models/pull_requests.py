"""Pull requests: what a change is where one is known."""

from django.db import models
from django.db.models import Q

from deployments.models.catalog import Repository


class PullRequest(models.Model):
    """A pull request, as far as events told of it. Each event tells all that it knows, and the latest one counts."""

    class State(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"
        MERGED = "merged"

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="pull_requests")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=500, blank=True, default="")
    url = models.CharField(max_length=2000, blank=True, default="")
    author = models.CharField(max_length=255, blank=True, default="")
    author_is_bot = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    is_draft = models.BooleanField(default=False)
    labels = models.JSONField(default=list)
    head_ref = models.CharField(max_length=255, blank=True, default="")
    base_ref = models.CharField(max_length=255, blank=True, default="")
    # The tip of the branch; and all tips that it is known to have had, before and after it was rebased.
    head_sha = models.CharField(max_length=70, blank=True, default="")
    head_shas = models.JSONField(default=list)
    head_is_elsewhere = models.BooleanField(
        default=False, help_text="Its branch is in a fork: its pushes are not told."
    )
    # The number of the pull request that it reverts, as GitHub's button writes it into its body or its branch.
    reverts_number = models.PositiveIntegerField(null=True)
    # The merge commit, the squash commit, or the last of the rebased ones. Empty until it is merged.
    merge_commit_sha = models.CharField(max_length=70, blank=True, default="")
    commits_count = models.PositiveIntegerField(null=True)
    opened_at = models.DateTimeField()
    # When it was said to be ready for review, as ISO 8601; and whether it was opened as a draft, where that is known.
    ready_times = models.JSONField(default=list)
    opened_as_draft = models.BooleanField(null=True)
    merged_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    # How late the event was that the facts are from, and its place among those of the same second.
    facts_at = models.DateTimeField()
    facts_order = models.CharField(max_length=40, default="")
    commits_counted_at = models.DateTimeField(null=True)
    # In which state of it GitHub's API was asked for its commits.
    asked_for = models.CharField(max_length=100, blank=True, default="")
    commits_are_stated = models.BooleanField(default=False, help_text="GitHub's API listed its commits.")

    # Worked out by deployments.pull_requests, never entered.
    first_commit_at = models.DateTimeField(null=True)
    first_review_at = models.DateTimeField(null=True)
    approved_at = models.DateTimeField(null=True)
    # Set where its commits and the changes that it is have to be worked out anew.
    changes_pending = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "number"], name="one_pull_request_of_a_number")]
        indexes = [
            # A push of its branch; what it ends in; a push of what it was merged as.
            models.Index(fields=["repository", "head_ref"], name="pull_request_branch"),
            models.Index(fields=["repository", "head_sha"], name="pull_request_head"),
            models.Index(
                fields=["repository", "merge_commit_sha"],
                condition=~Q(merge_commit_sha=""),
                name="pull_request_merge",
            ),
            models.Index(fields=["repository"], condition=Q(changes_pending=True), name="pull_request_pending"),
        ]

    def __str__(self) -> str:
        return f"#{self.number} {self.title}"


class PullRequestReview(models.Model):
    """A review, by whomever."""

    pull_request = models.ForeignKey(PullRequest, on_delete=models.CASCADE, related_name="reviews")
    github_id = models.BigIntegerField()
    author = models.CharField(max_length=255, blank=True, default="")
    author_is_bot = models.BooleanField(default=False)
    state = models.CharField(max_length=20, blank=True, default="")
    submitted_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pull_request", "github_id"], name="one_review")]

    def __str__(self) -> str:
        return f"{self.state} by {self.author}"


class PullRequestCommit(models.Model):
    """A commit that belongs to a pull request: one of its branch, or what it was merged as."""

    class Role(models.TextChoices):
        HEAD = "head", "on its branch"
        MERGED = "merged", "what it was merged as"

    pull_request = models.ForeignKey(PullRequest, on_delete=models.CASCADE, related_name="commits")
    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="+")
    sha = models.CharField(max_length=70)
    role = models.CharField(max_length=10, choices=Role)
    # Told by GitHub's API; the others are found again whenever more is known.
    is_stated = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["pull_request", "sha"], name="one_commit_of_a_pull_request")]
        indexes = [models.Index(fields=["repository", "sha"], name="pull_request_of_commit")]

    def __str__(self) -> str:
        return self.sha[:12]
