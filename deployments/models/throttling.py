"""The counters of the rate limit, where no Redis keeps them."""

from django.db import models


class RateLimitWindow(models.Model):
    """How often something was done since its window began."""

    key = models.CharField(max_length=255, primary_key=True)
    hits = models.PositiveBigIntegerField()
    expires_at = models.FloatField(db_index=True)  # seconds since 1970; the index serves the clearing-out

    def __str__(self) -> str:
        return self.key
