"""Reviews: what a manager writes beside the numbers of a month or quarter."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from deployments.models import Workspace


class ReviewNote(models.Model):
    """The note on the review of a period."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="review_notes")
    first_day = models.DateField()
    last_day = models.DateField()
    text = models.TextField(blank=True, default="")
    written_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "first_day", "last_day"], name="one_note_of_a_review")
        ]

    def __str__(self) -> str:
        return f"{self.first_day} to {self.last_day}"
