"""Teams: which applications and which people are whose."""

from typing import Any

from django.db import models

from deployments.models.catalog import KEY_LENGTH, Application
from deployments.models.workspaces import Workspace
from deployments.names import name_key


class Team(models.Model):
    """A team. The deployments of its applications are its own.

    Those of an application that belongs to no team are those of the teams of whoever deployed.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="teams")
    name = models.CharField(max_length=100)
    name_key = models.CharField(max_length=KEY_LENGTH, editable=False)
    applications = models.ManyToManyField(Application, blank=True, related_name="teams")

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["workspace", "name_key"], name="one_team_of_a_name")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.name_key = name_key(self.name)
        super().save(*args, **kwargs)


class TeamMember(models.Model):
    """A person of a team, by the name under which reports, commits and pull requests know them."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="people")
    name = models.CharField(max_length=255)
    name_key = models.CharField(max_length=KEY_LENGTH, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["team", "name_key"], name="one_member_of_a_name")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.name_key = name_key(self.name)
        super().save(*args, **kwargs)


class FreezePeriod(models.Model):
    """Days on which nothing is meant to be deployed, such as holidays: rates leave them out, and say why."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="freeze_periods")
    first_day = models.DateField()
    last_day = models.DateField()
    reason = models.CharField(max_length=200)

    class Meta:
        ordering = ["-first_day", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(last_day__gte=models.F("first_day")), name="freeze_ends_after_it_begins"
            )
        ]

    def __str__(self) -> str:
        return self.reason
