"""Which deployments had to be repaired, by which rules that was found, and what people say against it."""

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from deployments.models.deployments import Deployment
from deployments.models.incidents import Incident
from deployments.models.workspaces import Workspace

MOST_HOURS = 24 * 365


def default_hotfix_branches() -> list[str]:
    """Return the names of branches that make a pull request a hotfix where nobody said otherwise."""
    return ["^hotfix[/_-]"]


def default_hotfix_labels() -> list[str]:
    """Return the labels that make a pull request a hotfix where nobody said otherwise."""
    return ["^hot-?fix$"]


def default_hotfix_titles() -> list[str]:
    """Return the titles that make a change a hotfix where nobody said otherwise."""
    return ["^hot-?fix\\b"]


class FailureRules(models.Model):
    """By what a workspace tells that a deployment had to be repaired. Patterns are RE2, regardless of case."""

    class RollbackBlame(models.TextChoices):
        FIRST = "first", "the first deployment after the version returned to"
        LAST = "last", "the last deployment before the rollback"
        ALL = "all", "all deployments in between"

    workspace = models.OneToOneField(
        Workspace, on_delete=models.CASCADE, primary_key=True, related_name="failure_rules"
    )
    rollbacks = models.BooleanField(default=True, help_text="A return to what ran before is a repair.")
    rollback_blame = models.CharField(
        "a rollback blames", max_length=5, choices=RollbackBlame, default=RollbackBlame.FIRST
    )
    reverts = models.BooleanField(
        default=True, help_text="A revert is a repair of the deployment that first shipped the reverted change."
    )
    hotfixes = models.BooleanField(
        default=True, help_text="A deployment that ships a hotfix is a repair of the one before it."
    )
    hotfix_branches = models.JSONField("branches of hotfixes", default=default_hotfix_branches, blank=True)
    hotfix_labels = models.JSONField("labels of hotfixes", default=default_hotfix_labels, blank=True)
    hotfix_titles = models.JSONField("titles of hotfixes", default=default_hotfix_titles, blank=True)
    failed_statuses = models.BooleanField(
        "failed deployments", default=True, help_text="A deployment that ended as failure or error has failed."
    )
    incidents = models.BooleanField(default=True, help_text="The deployment that an incident began after has failed.")
    incident_window_hours = models.PositiveIntegerField(
        "hours until an incident",
        default=24,
        validators=[MaxValueValidator(MOST_HOURS)],
        help_text="An incident that begins later than so many hours after a deployment is not blamed on it."
        " Applications may have a number of their own.",
    )
    minimum_minutes = models.PositiveIntegerField(
        "minutes of failure",
        default=0,
        validators=[MaxValueValidator(MOST_HOURS * 60)],
        help_text="A failure that was repaired sooner does not count.",
    )

    class Meta:
        verbose_name_plural = "failure rules"

    def __str__(self) -> str:
        return f"failure rules of {self.workspace_id}"


class FailureFinding(models.Model):
    """One reason why a deployment counts as failed: what was found, where, and since when it is repaired.

    Findings are derived from what is known and from the rules, and derived again whenever one of them changes.
    """

    class Reason(models.TextChoices):
        ROLLBACK = "rollback", "rolled back"
        REVERT = "revert", "reverted"
        HOTFIX = "hotfix", "repaired by a hotfix"
        FIXES_VERSION = "fixes_version", "repaired, as the repairing deployment says"
        FAILED_STATUS = "failed_status", "ended as failure or error"
        INCIDENT = "incident", "caused an incident"

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="findings")
    reason = models.CharField(max_length=13, choices=Reason)
    # The deployment that repaired it, by which it was found; none for incidents, and for a failed one not yet redone.
    repair = models.ForeignKey(
        Deployment, null=True, blank=True, on_delete=models.CASCADE, related_name="findings_repaired"
    )
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.CASCADE, related_name="findings")
    why = models.CharField(max_length=500, help_text="A sentence for people.")
    repaired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["deployment", "reason", "repair"], condition=Q(incident=None), name="one_finding_of_a_repair"
            ),
            models.UniqueConstraint(
                fields=["deployment", "reason"],
                condition=Q(incident=None, repair=None),
                name="one_finding_without_repair",
            ),
            models.UniqueConstraint(
                fields=["deployment", "incident"],
                condition=Q(incident__isnull=False),
                name="one_finding_of_an_incident",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason} of deployment {self.deployment_id}"


class Overruling(models.Model):
    """What a person says of a deployment, whatever the rules find. It outlives every recomputation."""

    class Verdict(models.TextChoices):
        FAILURE = "failure", "It had to be repaired"
        REWORK = "rework", "It was unplanned, because of a failure"

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="overrulings")
    verdict = models.CharField(max_length=7, choices=Verdict)
    holds = models.BooleanField(help_text="Whether the verdict holds, as the person says.")
    reason = models.CharField(max_length=500)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["deployment", "verdict"], name="one_overruling_of_a_verdict")]

    def __str__(self) -> str:
        return f"{self.verdict} of deployment {self.deployment_id}: {'yes' if self.holds else 'no'}"


class RuleChange(models.Model):
    """A change of a setting that changes numbers: it is marked on the charts."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="rule_changes")
    summary = models.CharField(max_length=500, help_text="What was changed, from what, to what.")
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at", "-id"]
        indexes = [models.Index(fields=["workspace", "-created_at"], name="rule_change_newest")]

    def __str__(self) -> str:
        return self.summary
