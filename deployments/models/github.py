"""What GitHub told: secrets and connections to it, pushes, refs, releases."""

import datetime
import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from deployments.encryption import EncryptedTextField
from deployments.models.catalog import Repository
from deployments.models.workspaces import Workspace


class DeploymentSecretQuerySet(models.QuerySet["DeploymentSecret"]):
    def usable(self, now: datetime.datetime) -> "DeploymentSecretQuerySet":
        """Return the secrets with which deliveries may be signed now, the newest first."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now)).order_by("-created_at", "-id")


class DeploymentSecret(models.Model):
    """A secret with which GitHub signs what it delivers to a workspace. It is shown once."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="deployment_secrets")
    secret = EncryptedTextField(editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Set when a newer one takes its place: until then both are good, so that nothing is lost meanwhile.
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = DeploymentSecretQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"Deployment secret of {self.created_at:%Y-%m-%d %H:%M}"

    @classmethod
    def rotate(cls, workspace: Workspace, overlap: datetime.timedelta) -> str:
        """Make a new secret and return its text; the ones before it are good for `overlap` longer."""
        now = timezone.now()
        before = cls.objects.usable(now).filter(workspace=workspace)
        before.filter(Q(expires_at=None) | Q(expires_at__gt=now + overlap)).update(expires_at=now + overlap)
        text = secrets.token_hex(32)
        cls.objects.create(workspace=workspace, secret=text, created_at=now)
        return text


def default_base_url() -> str:
    """Return the address of GitHub's API where a connection names no other."""
    return str(settings.SLIPWAY_GITHUB_API_URL)


class GithubConnection(models.Model):
    """A token or a GitHub App with which what webhooks leave out is asked for."""

    class Kind(models.TextChoices):
        TOKEN = "token", "Token"
        APP = "app", "GitHub App"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="github_connections")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.TOKEN)
    base_url = models.CharField(
        "API address",
        max_length=255,
        default=default_base_url,
        help_text="https://api.github.com, or https://HOST/api/v3 of an Enterprise Server.",
    )
    repositories = models.TextField(
        default="*",
        help_text="Which repositories it is for, one pattern a line: acme/*, or acme/web.",
    )
    token = EncryptedTextField(blank=True, default="")
    app_id = models.CharField("App ID", max_length=40, blank=True, default="")
    installation_id = models.BigIntegerField("installation ID", null=True, blank=True)
    private_key = EncryptedTextField(blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    used_at = models.DateTimeField(null=True, blank=True, editable=False)
    error = models.CharField(max_length=500, blank=True, default="", editable=False)

    class Meta:
        verbose_name = "GitHub connection"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for {self.repositories.split() or 'nothing'}"


class Push(models.Model):
    """A move of a branch or tag, as GitHub told it."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="pushes")
    ref = models.CharField(max_length=500)
    # Empty where the ref was created or deleted. Of a tag `after` is the commit, also where the tag is an object.
    before = models.CharField(max_length=70, blank=True)
    after = models.CharField(max_length=70, blank=True)
    is_forced = models.BooleanField(default=False)
    is_truncated = models.BooleanField(default=False, help_text="GitHub left commits out of the list.")
    pushed_at = models.DateTimeField()
    # Hashes with a space between them, oldest first; and those of them that had been pushed elsewhere before.
    commits = models.TextField(blank=True, default="")
    known_before = models.TextField(blank=True, default="")

    class Meta:
        verbose_name_plural = "pushes"
        constraints = [
            models.UniqueConstraint(fields=["repository", "ref", "before", "after", "pushed_at"], name="one_push")
        ]
        indexes = [
            models.Index(fields=["repository", "after"], name="push_after"),
            models.Index(fields=["repository", "-pushed_at"], name="push_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.ref} to {self.after[:12] or 'nothing'}"

    @property
    def shas(self) -> list[str]:
        """The commits that it listed, oldest first."""
        return self.commits.split()


class GitRef(models.Model):
    """Where a branch or tag stands. Deleted ones stay, as deployments may name them."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="refs")
    name = models.CharField(max_length=500, help_text="In full: refs/heads/main, refs/tags/v1.0.0.")
    sha = models.CharField(max_length=70)
    moved_at = models.DateTimeField()
    is_deleted = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "name"], name="one_ref_of_a_name")]

    def __str__(self) -> str:
        return self.name


class Release(models.Model):
    """A published release."""

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="releases")
    github_id = models.BigIntegerField()
    tag_name = models.CharField(max_length=255)
    name = models.CharField(max_length=255, blank=True, default="")
    is_prerelease = models.BooleanField(default=False)
    author = models.CharField(max_length=255, blank=True, default="")
    url = models.CharField(max_length=2000, blank=True, default="")
    published_at = models.DateTimeField()
    # The commit of the tag, where the release itself tells it.
    target_sha = models.CharField(max_length=70, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "github_id"], name="one_release")]
        indexes = [models.Index(fields=["repository", "tag_name"], name="release_tag")]

    def __str__(self) -> str:
        return self.tag_name


class Backfill(models.Model):
    """How far the reading of a repository's past from GitHub has come."""

    class What(models.TextChoices):
        DEPLOYMENTS = "deployments"
        RELEASES = "releases"
        PULL_REQUESTS = "pull-requests", "pull requests"

    repository = models.ForeignKey(Repository, on_delete=models.CASCADE, related_name="backfills")
    what = models.CharField(max_length=20, choices=What)
    since = models.DateTimeField()
    until = models.DateTimeField()
    # Everything at or after this moment has been read: reading goes from the newest to the oldest.
    done_down_to = models.DateTimeField(null=True)
    read = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "what", "since", "until"], name="one_backfill_of_a_period")
        ]

    def __str__(self) -> str:
        return f"{self.what} of {self.repository}"
