"""Workspaces, the people in them, and the keys with which machines speak for them."""

import datetime
import hashlib
import secrets
import zoneinfo
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from uuid_utils.compat import uuid7


def validate_time_zone(name: str) -> None:
    """Refuse what is no IANA time zone."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"“{name}” is no IANA time zone; one is “Europe/Berlin”.")


class UserManager(BaseUserManager["User"]):
    """People are known by their e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=(username or "").strip())


class User(AbstractUser):
    """A person who logs in, by e-mail address and password."""

    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_regardless_of_case")]

    def __str__(self) -> str:
        return self.email


def default_incident_labels() -> list[str]:
    """Return the labels that make a GitHub issue an incident where nobody said otherwise."""
    return ["incident"]


def every_weekday() -> list[int]:
    """Return the days of the week on which work is done where nobody said otherwise: all, by ISO 8601's numbers."""
    return [1, 2, 3, 4, 5, 6, 7]


class Workspace(models.Model):
    """A tenant: its own people, keys, repositories, applications, environments and time zone."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=100, unique=True)
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text="Days, weeks and months of the charts begin and end in this time zone.",
    )
    include_merge_commits = models.BooleanField(
        default=False,
        help_text="Count merge commits as changes. Merges are artefacts, so they usually are not.",
    )
    count_redeploys = models.BooleanField(
        default=False,
        help_text="Count a redeploy of the commit that already runs in the deployment frequency.",
    )
    working_days = models.JSONField(
        default=every_weekday,
        help_text="Rates per day are per working day, 1 for Monday to 7 for Sunday.",
    )
    report_year = models.PositiveSmallIntegerField(
        "levels of the report of",
        default=2024,
        choices=[(2021, "2021"), (2022, "2022"), (2023, "2023"), (2024, "2024"), (2025, "2025 (no levels)")],
        help_text="DORA's report whose levels, from elite to low, the metrics are compared with.",
    )
    bot_names = models.JSONField(
        "bots",
        default=list,
        blank=True,
        help_text="Authors that are bots, besides those whose names end with [bot].",
    )
    leave_out_bots = models.BooleanField(
        "leave out bots",
        default=False,
        help_text="Pull requests that bots opened, such as updates of dependencies, are no changes.",
    )
    incident_labels = models.JSONField(
        default=default_incident_labels,
        help_text="A GitHub issue with one of these labels is an incident.",
    )
    default_application = models.ForeignKey(
        "deployments.Application",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="What a deployment request without a body deploys.",
    )
    default_environment = models.ForeignKey(
        "deployments.Environment", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    members = models.ManyToManyField(User, through="Membership", related_name="workspaces")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The time zone in which the days of this workspace begin."""
        return zoneinfo.ZoneInfo(self.time_zone)


class Membership(models.Model):
    """A person's place in a workspace."""

    class Role(models.TextChoices):
        OWNER = "owner"
        MEMBER = "member"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "workspace"], name="one_membership_each")]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace}"


class Scope(models.TextChoices):
    """What an API key may do."""

    DEPLOYMENTS_WRITE = "deployments:write", "Report deployments, withdraw and delete jobs"
    DEPLOYMENTS_READ = "deployments:read", "Read deployments and jobs"
    METRICS_READ = "metrics:read", "Read the metrics"
    INCIDENTS_WRITE = "incidents:write", "Open, change and resolve incidents"
    INCIDENTS_READ = "incidents:read", "Read incidents"
    WEBHOOKS_WRITE = "webhooks:write", "Add, change and remove webhooks, and deliver again"
    WEBHOOKS_READ = "webhooks:read", "Read webhooks and what was delivered to them"


# Whoever may add a webhook can have everything that happens sent anywhere, so a key has these only where an owner
# chose them.
CHOSEN_SCOPES: list[str] = [Scope.WEBHOOKS_WRITE, Scope.WEBHOOKS_READ]


def all_scopes() -> list[str]:
    """Return what a key may do where nobody said otherwise: every scope but those of webhooks."""
    return [scope for scope in Scope.values if scope not in CHOSEN_SCOPES]


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self, now: datetime.datetime) -> "ApiKeyQuerySet":
        """Return the keys that are neither revoked nor expired."""
        return self.filter(revoked_at=None).exclude(expires_at__lte=now)

    def revoke(self) -> int:
        """Revoke these keys from this moment on and return how many were still in use."""
        return self.filter(revoked_at=None).update(revoked_at=timezone.now())


class ApiKey(models.Model):
    """A key with which a machine speaks for a workspace. Only its digest is kept.

    A key reads `slipway_PREFIX_SECRET`. The prefix finds the row and may be shown; the secret has 256 random
    bits, so that one round of SHA-256 keeps it (password hashes slow down the guessing of weak secrets only).
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100, help_text="Who or what uses it, for example “GitHub Actions”.")
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=all_scopes)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} (slipway_{self.prefix}_…)"

    @classmethod
    def create(cls, *, workspace: Workspace, name: str, **fields: Any) -> tuple["ApiKey", str]:
        """Store a new key and return it with its text, which cannot be had again."""
        prefix = secrets.token_hex(4)
        text = f"slipway_{prefix}_{secrets.token_hex(32)}"
        key = cls.objects.create(workspace=workspace, name=name, prefix=prefix, digest=cls.digest_of(text), **fields)
        return key, text

    @staticmethod
    def digest_of(text: str) -> str:
        """Return what is stored of a key."""
        return hashlib.sha256(text.encode()).hexdigest()

    def has_scope(self, *scopes: str) -> bool:
        """Tell whether the key may do any of these."""
        return any(scope in self.scopes for scope in scopes)

    @property
    def is_usable(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())
