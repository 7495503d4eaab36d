"""What besides a report counts as a deployment of an application, and from where each deployment was heard of."""

from django.db import models
from django.utils import timezone

from deployments.models.catalog import Application, Environment
from deployments.models.deployments import Deployment


class DeploymentTrigger(models.Model):
    """Something that happens on GitHub and that is a deployment of an application.

    Reports through the API are always deployments; so are those that GitHub itself calls deployments, unless a
    trigger of that kind names the environments of which.
    """

    class Kind(models.TextChoices):
        GITHUB_DEPLOYMENT = "github_deployment", "GitHub deployment succeeds"
        MERGE = "merge", "Pull request is merged into a branch"
        PUSH = "push", "Branch is pushed to"
        RELEASE = "release", "Release is published"
        TAG = "tag", "Tag is pushed"
        WORKFLOW = "workflow", "Workflow run succeeds"

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="triggers")
    kind = models.CharField("when", max_length=20, choices=Kind)
    pattern = models.CharField(
        max_length=255,
        help_text="The branch, the tag (v* for all that begin with v), the name of the workflow, or GitHub's"
        " name of the environment. * stands for any text.",
    )
    environment = models.ForeignKey(
        Environment, on_delete=models.CASCADE, related_name="triggers", help_text="Where it is deployed to."
    )
    branch = models.CharField(
        max_length=255, blank=True, default="", help_text="Of workflow runs: only those of this branch."
    )
    includes_prereleases = models.BooleanField(
        "pre-releases too", default=False, help_text="Of releases: count those marked as pre-releases as well."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["application", "kind", "pattern", "environment"], name="one_trigger_each")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.pattern}"


class DeploymentOrigin(models.Model):
    """What told of a deployment that was heard of from elsewhere than the API alone, and what it told."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="origins")
    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="+")
    source = models.CharField(max_length=10, choices=Deployment.Source)
    external_id = models.CharField(max_length=255)
    version = models.CharField(max_length=255)
    # When it told of success for the first time; and whether somebody stated that time.
    reached_at = models.DateTimeField(null=True)
    reached_at_is_stated = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "source", "external_id"], name="one_deployment_of_an_origin"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.external_id}"
