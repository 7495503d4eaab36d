"""What the read side keeps: badges, goals, digests, notes on reviews, and rollups."""

from metrics.models.badges import BadgeKey
from metrics.models.digests import Digest
from metrics.models.goals import Goal, Metric
from metrics.models.reviews import ReviewNote
from metrics.models.rollups import Author, DayRollup, RollupBasis, StaleHour

__all__ = ["Author", "BadgeKey", "DayRollup", "Digest", "Goal", "Metric", "ReviewNote", "RollupBasis", "StaleHour"]
