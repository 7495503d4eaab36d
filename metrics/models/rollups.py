"""Rollups: what each day comes to, kept so that no page has to read raw rows. See docs/decisions."""

from django.db import models
from django.db.models import Q

from deployments.models import Environment, Workspace
from deployments.models.catalog import KEY_LENGTH


class RollupBasis(models.Model):
    """What the rollups of a workspace rest on: where its days begin, and who is a bot.

    Another time zone needs other rollups of every day. They are built beside those in use, and take their place when
    they are complete: until then pages go on with the ones that there are.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    time_zone = models.CharField(max_length=64)
    bot_names = models.JSONField(default=list)  # keys of names, in order
    is_active = models.BooleanField()
    # The days that have still to be recomputed, whatever their rollups say. They are done from the last to the first.
    first_day_to_do = models.DateField(null=True)
    last_day_to_do = models.DateField(null=True)
    # How many days there were to do at the start: for the progress.
    days_to_do = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"], condition=Q(is_active=True), name="one_active_rollup_basis"
            ),
            models.UniqueConstraint(
                fields=["workspace"], condition=Q(is_active=False), name="one_coming_rollup_basis"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.time_zone} ({'active' if self.is_active else 'coming'})"


class DayRollup(models.Model):
    """One environment and day: the sums, the lead times in order, and the detail that slices are cut from.

    The three are packed columns of metrics.packing. A day on which nothing happened has none.
    """

    basis = models.ForeignKey(RollupBasis, on_delete=models.CASCADE, related_name="+")
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    # Of the content: two rows with the same one say the same, so that processes can keep what they have decoded.
    digest = models.BigIntegerField()
    sums = models.BinaryField()
    leads = models.BinaryField()
    detail = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "basis", "day"], name="one_rollup_of_a_day"),
        ]

    def __str__(self) -> str:
        return f"{self.day} of environment {self.environment_id}"


class StaleHour(models.Model):
    """Says that what happened in an environment within an hour (of UTC) is not what its rollups say.

    Where it names an application, only what happened of that one.

    Rows are only ever added, in the transaction that changed something, and deleted by whoever recomputed the days of
    that hour after it had read them. So writers never wait for one another, a day that changes again while it is
    recomputed stays stale, and which day of which time zone an hour belongs to is decided when it is recomputed.
    """

    # No constraint: a mark may outlive its environment by a moment.
    environment = models.ForeignKey(
        Environment, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    hour = models.DateTimeField()
    # Plain: deployments outlive a mark, and marks an application.
    application_id = models.BigIntegerField(null=True)

    class Meta:
        indexes = [models.Index(fields=["environment", "hour"], name="stale_hour")]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:00} of environment {self.environment_id}"


class Author(models.Model):
    """Somebody whose deployments or changes are in rollups: the names that a selection can be about."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    name_key = models.CharField(max_length=KEY_LENGTH)
    name = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name_key"], name="one_author_of_a_name")]

    def __str__(self) -> str:
        return self.name
