"""The performance levels that DORA's reports published, 2021 to 2024. Plain functions over plain data.

Sources: 2021, Accelerate State of DevOps report, pages 9 to 13; 2022 to 2024, the tables as the reports' sponsor
Octopus Deploy printed them (octopus.com/blog: new-devops-performance-clusters,
software-delivery-performance-clusters-2023, 2024-devops-performance-clusters). In 2025 the report gave up levels for
the distribution of the answers.

The reports describe clusters of answers, not limits. What lies between two descriptions counts as the lower level,
and `traps` says where that matters.
"""

from dataclasses import dataclass
from enum import StrEnum

_HOUR, _DAY, _WEEK, _MONTH, _HALF_YEAR = 3600.0, 86400.0, 604800.0, 2629800.0, 15778800.0


class Level(StrEnum):
    ELITE = "elite"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Band:
    """A level of one metric: what it was called in the report, and how far it reaches."""

    level: Level
    words: str
    limit: float  # frequency: at least so many a day; times: less than so many seconds; fail rate: at most this share


@dataclass(frozen=True, slots=True)
class Report:
    """The levels of one year, best first, and what to know before one reads anything into them."""

    year: int
    source: str
    frequency: tuple[Band, ...]
    lead_time: tuple[Band, ...]
    fail_rate: tuple[Band, ...]
    recovery: tuple[Band, ...]
    traps: dict[str, str]


_INF = float("inf")
_E, _H, _M, _L = Level.ELITE, Level.HIGH, Level.MEDIUM, Level.LOW

REPORTS: dict[int, Report] = {
    2021: Report(
        2021,
        "Accelerate State of DevOps 2021, pages 9–13",
        (
            Band(_E, "on demand, several a day", 1.0),
            Band(_H, "weekly to monthly", _DAY / _MONTH),
            Band(_M, "monthly to every 6 months", _DAY / _HALF_YEAR),
            Band(_L, "less than every 6 months", 0.0),
        ),
        (
            Band(_E, "under an hour", _HOUR),
            Band(_H, "a day to a week", _WEEK),
            Band(_M, "1 to 6 months", _HALF_YEAR),
            Band(_L, "over 6 months", _INF),
        ),
        (Band(_E, "0–15 %", 0.15),),
        (
            Band(_E, "under an hour", _HOUR),
            Band(_H, "under a day", _DAY),
            Band(_M, "a day to a week", _WEEK),
            Band(_L, "over 6 months", _INF),
        ),
        {
            "fail_rate": "High, medium and low share one range, 16–30 %: only elite is told apart.",
            "lead_time": "An hour to a day counts as high, a week to a month as medium: neither was named.",
            "recovery": "Nothing was said of a week to 6 months: it counts as low here.",
        },
    ),
    2022: Report(
        2022,
        "Accelerate State of DevOps 2022, as printed by Octopus Deploy",
        (
            Band(_H, "on demand, several a day", 1.0),
            Band(_M, "weekly to monthly", _DAY / _MONTH),
            Band(_L, "monthly to every 6 months", 0.0),
        ),
        (
            Band(_H, "a day to a week", _WEEK),
            Band(_M, "a week to a month", _MONTH),
            Band(_L, "1 to 6 months", _INF),
        ),
        (Band(_H, "0–15 %", 0.15), Band(_M, "16–30 %", 0.30), Band(_L, "46–60 %", 1.0)),
        (
            Band(_H, "under a day", _DAY),
            Band(_M, "a day to a week", _WEEK),
            Band(_L, "a week to a month", _INF),
        ),
        {
            "": "There was no elite level in 2022.",
            "fail_rate": "Nothing was said of 31–45 %: it counts as low here.",
        },
    ),
    2023: Report(
        2023,
        "Accelerate State of DevOps 2023, as printed by Octopus Deploy",
        (
            Band(_E, "on demand", 1.0),
            Band(_H, "daily to weekly", _DAY / _WEEK),
            Band(_M, "weekly to monthly", _DAY / _MONTH),
            Band(_L, "weekly to monthly", 0.0),
        ),
        (
            Band(_E, "under a day", _DAY),
            Band(_H, "a day to a week", _WEEK),
            Band(_M, "a week to a month", _MONTH),
            Band(_L, "a week to a month", _INF),
        ),
        (Band(_E, "5 %", 0.05), Band(_H, "10 %", 0.10), Band(_M, "15 %", 0.15), Band(_L, "64 %", 1.0)),
        (
            Band(_E, "under an hour", _HOUR),
            Band(_H, "under a day", _DAY),
            Band(_M, "a day to a week", _WEEK),
            Band(_L, "1 to 6 months", _INF),
        ),
        {
            "frequency": "Medium and low share weekly to monthly: medium is taken.",
            "lead_time": "Medium and low share a week to a month: medium is taken.",
            "fail_rate": "The report gave one figure for each level; up to it counts as that level here.",
            "recovery": "Nothing was said of a week to a month: it counts as low here.",
        },
    ),
    2024: Report(
        2024,
        "Accelerate State of DevOps 2024, as printed by Octopus Deploy",
        (
            Band(_E, "on demand", 1.0),
            Band(_H, "daily to weekly", _DAY / _WEEK),
            Band(_M, "weekly to monthly", _DAY / _MONTH),
            Band(_L, "monthly to every 6 months", 0.0),
        ),
        (
            Band(_E, "under a day", _DAY),
            Band(_H, "a day to a week", _WEEK),
            Band(_M, "a week to a month", _MONTH),
            Band(_L, "1 to 6 months", _INF),
        ),
        (Band(_E, "5 %", 0.05),),
        (
            Band(_E, "under an hour", _HOUR),
            Band(_H, "under a day", _DAY),
            Band(_L, "a week to a month", _INF),
        ),
        {
            "fail_rate": "Medium (10 %) failed less than high (20 %): only elite says anything.",
            "recovery": "High and medium are one, under a day. A day to a week counts as low.",
        },
    ),
}

# The share of answers per class, of what the 2025 report and texts about it state; the rest nobody published.
DISTRIBUTION_2025: dict[str, tuple[tuple[str, float], ...]] = {
    "frequency": (("on demand", 0.162), ("daily to weekly", 0.219), ("less than monthly", 0.239)),
    "lead_time": (("a day to a week", 0.319), ("over a week", 0.435)),
    "fail_rate": (("above 16 %", 0.395),),
    "rework_rate": (("under 2 %", 0.073),),
}
NOTE_2025 = "DORA gave up levels in 2025: its report shows how the answers are distributed."


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a value stands by the report of a year."""

    year: int
    level: Level
    words: str
    source: str
    trap: str


def place(year: int, metric: str, value: float | None) -> Placed | None:
    """Return the level of a value: deployments a day, seconds, or a share.

    `metric` is `frequency`, `lead_time`, `recovery` or `fail_rate`. None without a value, where the year has no
    levels (2025), and where its levels do not tell such a value from others: 2021 and 2024 tell only elite fail
    rates apart.
    """
    report = REPORTS.get(year)
    if report is None or value is None or metric not in {"frequency", "lead_time", "recovery", "fail_rate"}:
        return None
    bands: tuple[Band, ...] = getattr(report, metric)
    for band in bands:
        if _reaches(metric, value, band.limit):
            trap = report.traps.get(metric) or report.traps.get("") or ""
            return Placed(year, band.level, band.words, report.source, trap)
    return None


def _reaches(metric: str, value: float, limit: float) -> bool:
    if metric == "frequency":
        return value >= limit
    if metric == "fail_rate":
        return value <= limit
    return value < limit
