"""What lands on the main branch of a repository: pull requests of several commits, squashed ones, single commits."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from deployments.generating.moments import DAY, HOUR, Moments, climb, uniform


class Style(IntEnum):
    """How a change lands."""

    SINGLE = 0  # a commit that nobody opened a pull request for
    SQUASH = 1
    FAST_FORWARD = 2  # its commits are those of the branch


class Role(IntEnum):
    """What a change is there for."""

    NORMAL = 0
    HOTFIX = 1
    REVERT = 2


# Times are in seconds since 1970; of `reviewed_at` 0 is never. `target` is the key of what a revert reverts; `also`
# is a second application of the repository that the change touches, -1 is none. A key stays when landings are sorted.
LANDING = np.dtype([
    ("at", "i8"), ("first_commit_at", "i8"), ("opened_at", "i8"), ("ready_at", "i8"), ("reviewed_at", "i8"),
    ("key", "i4"), ("target", "i4"), ("app", "i2"), ("also", "i2"), ("author", "i2"), ("title", "i2"),
    ("style", "i1"), ("commits", "i1"), ("role", "i1"), ("is_draft", "?"), ("is_bot", "?"),
])  # fmt: skip
Landings = NDArray[np.void]

# Landings of a repository lie so many seconds apart, so that each of their commits has a second of its own.
SPACING = 4


def new_landings(at: Moments, app: int, first_key: int) -> Landings:
    """Return landings at these moments, not yet dressed."""
    landings = np.zeros(len(at), LANDING)
    landings["at"] = at
    landings["app"] = app
    landings["also"] = -1
    landings["target"] = -1
    landings["commits"] = 1
    landings["key"] = np.arange(first_key, first_key + len(at))
    return landings


def dress(rng: np.random.Generator, landings: Landings, style: Style, *, people: int, titles: int) -> None:
    """Give landings an author, a title and the way that their pull requests took. The last author is a bot."""
    count = len(landings)
    landings["author"] = rng.integers(0, people - 1, count)
    landings["title"] = rng.integers(0, titles, count)
    by_itself = rng.random(count) < (0.85 if style == Style.SINGLE else 0.08)
    landings["style"] = np.where(by_itself, Style.SINGLE, style or Style.SQUASH)
    is_repair = landings["role"] != Role.NORMAL
    landings["is_bot"] = (rng.random(count) < 0.1) & (landings["style"] != Style.SINGLE) & ~is_repair
    landings["author"][landings["is_bot"]] = people - 1
    several = (landings["style"] == Style.FAST_FORWARD) & ~landings["is_bot"] & ~is_repair
    landings["commits"] = np.where(several & (rng.random(count) < 0.3), rng.integers(2, 4, count), 1)
    _open_and_review(rng, landings)
    _date_single_commits(rng, landings)


def _open_and_review(rng: np.random.Generator, landings: Landings) -> None:
    count = len(landings)
    is_repair, is_bot = landings["role"] != Role.NORMAL, landings["is_bot"]
    review, waiting, drafting, coding = (
        _lognormal(rng, hours, spread, count) for hours, spread in ((2, 1.3), (4, 1.4), (8, 1.0), (6, 1.5))
    )
    landings["is_draft"] = (rng.random(count) < 0.15) & ~is_bot & ~is_repair
    reviewed = (rng.random(count) < 0.8) & ~is_bot
    at = landings["at"]
    ready = at - np.where(is_repair, uniform(rng, 120, 240, count), review + waiting)
    landings["reviewed_at"] = np.where(reviewed, np.where(is_repair, at - 60, at - review), 0)
    landings["ready_at"] = ready
    landings["opened_at"] = ready - np.where(landings["is_draft"], drafting, 0)
    coding = np.where(is_repair, uniform(rng, 60, 240, count), np.where(is_bot, 0, coding))
    landings["first_commit_at"] = landings["opened_at"] - coding


def _date_single_commits(rng: np.random.Generator, landings: Landings) -> None:
    """Let single commits be pushed soon after they were made; now and then an author's clock is ahead."""
    count = len(landings)
    ahead = (rng.random(count) < 0.001) & (landings["role"] == Role.NORMAL)
    made = landings["at"] - np.minimum(_lognormal(rng, 0.3, 1.5, count), 5 * DAY)
    made = np.where(ahead, landings["at"] + uniform(rng, HOUR, 6 * HOUR, count), made)
    single = landings["style"] == Style.SINGLE
    landings["first_commit_at"] = np.where(single, made, landings["first_commit_at"])
    for name in ("is_draft", "reviewed_at"):
        landings[name][single] = 0


def _lognormal(rng: np.random.Generator, median_hours: float, spread: float, count: int) -> Moments:
    """Return durations of at least a minute with a long tail, at most sixty days."""
    seconds = rng.lognormal(np.log(median_hours * HOUR), spread, count)
    return np.clip(seconds, 60, 60 * DAY).astype(np.int64)


def in_order(landings: Landings, root_at: int) -> tuple[Landings, NDArray[np.int64]]:
    """Return landings as they follow one another on the main branch, and the position of each key.

    From then on the target of a revert is a position. Nothing was begun before the first commit of the repository.
    """
    landings = landings[np.argsort(landings["at"], kind="stable")]
    shift = climb(landings["at"], SPACING) - landings["at"]
    landings["at"] += shift
    for name in ("first_commit_at", "opened_at", "ready_at"):
        landings[name][1:] = np.maximum(landings[name][1:], root_at + HOUR)
    reviewed = landings["reviewed_at"]
    landings["reviewed_at"] = np.where(reviewed > 0, np.maximum(reviewed, root_at + HOUR), 0)
    positions = np.empty(len(landings), np.int64)
    positions[landings["key"]] = np.arange(len(landings))
    targets = landings["target"]
    landings["target"] = np.where(targets >= 0, positions[targets], -1)
    return landings, positions
