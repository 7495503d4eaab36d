"""What of it is deployed: each landing to development, releases from staging to production, and what goes wrong."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deployments.generating.landings import Landings, Role, new_landings
from deployments.generating.moments import DAY, HOUR, Calendar, Moments, at_work, climb, uniform

ENVIRONMENTS = ("development", "staging", "production")
# Which share of the deployments goes where, and which share of those brings something new.
SHARES = (0.50, 0.325, 0.175)
_FORWARD = (0.66, 0.78, 0.83)
# Of the deployments of production that bring something new: how often one is rolled back, repaired by a hotfix,
# reverted, or only causes an incident.
_TROUBLES = (0.030, 0.035, 0.015, 0.02)
_ROLLED_BACK_ELSEWHERE = 0.006
_FAILED_ATTEMPTS = (0.02, 0.015, 0.012)

# One entry in the history of a track. `key` is the landing deployed, `fixes` the landing whose version it says to
# fix, -1 for none.
ENTRY = np.dtype([("at", "i8"), ("key", "i4"), ("fixes", "i4"), ("reached", "?")])
Entries = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Lifetime:
    """From when until when an application is deployed, in seconds since 1970."""

    start: int
    end: int


@dataclass(slots=True)
class Incidents:
    """Incidents of an application in production. `resolved_at` 0 is not yet."""

    started_at: Moments
    resolved_at: Moments


@dataclass(slots=True)
class Plan:
    """What one application lands and deploys."""

    landings: Landings
    tracks: dict[str, Entries]
    incidents: Incidents


@dataclass(slots=True)
class _Line:
    """The deployments of a track that bring something new, in order."""

    at: Moments
    key: NDArray[np.int64]
    rolled_back: NDArray[np.bool_]
    fixes: NDArray[np.int64]
    kept: NDArray[np.bool_]  # what came of it depends on it

    @classmethod
    def of(cls, at: Moments, key: NDArray[np.int64]) -> "_Line":
        return cls(at, key, np.zeros(len(at), bool), np.full(len(at), -1), np.zeros(len(at), bool))

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> "_Line":
        return _Line(
            self.at[chosen], self.key[chosen], self.rolled_back[chosen], self.fixes[chosen], self.kept[chosen]
        )


def plan_application(
    rng: np.random.Generator,
    calendar: Calendar,
    life: Lifetime,
    counts: tuple[int, ...],
    app: int,
    first_key: int,
    *,
    only_forward: bool = False,
) -> Plan:
    """Plan an application with exactly so many deployments in each of ENVIRONMENTS."""
    forward = [min(count, max(1, round(count * share))) for count, share in zip(counts, _FORWARD, strict=True)]
    forward[2] = min(counts[2], forward[1], -(-forward[2] * 5 // 4))  # some make way for hotfixes
    number = max(1, -(-forward[0] * 20 // 19), *forward)
    at = calendar.sample(rng, number, life.start, life.end - 3 * HOUR)
    landings = new_landings(at, app, first_key)
    lines = _lines(rng, at, forward, life.end)
    incidents = Incidents(np.empty(0, np.int64), np.empty(0, np.int64))
    if not only_forward:
        lines[2], repairs, incidents = _go_wrong(rng, lines[2], landings, life.end)
        landings = np.concatenate([landings, repairs])
        for line in lines[:2]:
            line.rolled_back = _not_twice_in_a_row(rng.random(len(line.at)) < _ROLLED_BACK_ELSEWHERE)
    tracks = {}
    for number, name in enumerate(ENVIRONMENTS):
        lines[number].key += first_key
        lines[number].fixes[lines[number].fixes >= 0] += first_key
        tracks[name] = _track(rng, lines[number], counts[number], _FAILED_ATTEMPTS[number], life.end)
    return Plan(landings, tracks, incidents)


def _choose(rng: np.random.Generator, number: int, count: int) -> NDArray[np.int64]:
    return np.sort(rng.choice(number, min(number, count), replace=False)).astype(np.int64)


def _lines(rng: np.random.Generator, landed_at: Moments, forward: list[int], end: int) -> list[_Line]:
    """Deploy landings to development, some of those to staging, some of those to production."""
    lines: list[_Line] = []
    for number, count in enumerate(forward):
        before = lines[-1] if lines and len(lines[-1].at) >= count else None
        ready_at = landed_at if before is None else before.at
        chosen = _choose(rng, len(ready_at), count)
        at = ready_at[chosen]
        if number < 2:
            at = at + uniform(rng, 240, (900, 2400)[number], len(chosen))
        else:
            soaked = np.where(
                rng.random(len(chosen)) < 0.6,
                uniform(rng, 600, 2 * HOUR, len(chosen)),
                uniform(rng, 16 * HOUR, 3 * DAY, len(chosen)),
            )
            # Who deploys often does not let a release wait until several others are ready.
            at = at_work(rng, at + np.minimum(soaked, _pace(at) + 600))
            at = np.minimum(at, end - HOUR - np.arange(len(at), 0, -1) * 10)
        lines.append(_Line.of(climb(at, 10), chosen if before is None else before.key[chosen]))
    return lines


def _pace(at: Moments) -> int:
    """Return how many seconds of work lie between two deployments: people work about a fifth of all hours."""
    return int(at[-1] - at[0]) // 5 // len(at) if len(at) > 1 else 3 * DAY


def _not_twice_in_a_row(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the choice without the first one, and without those that follow on one."""
    chosen = chosen.copy()
    chosen[:1] = False
    chosen[1:] &= ~chosen[:-1]
    return chosen


def _go_wrong(
    rng: np.random.Generator, line: _Line, landings: Landings, end: int
) -> tuple[_Line, Landings, Incidents]:
    """Have some deployments of production fail; return what is deployed then, the repairs, and the incidents."""
    edges = np.cumsum(_TROUBLES)
    trouble = np.searchsorted(edges, rng.random(len(line.at)), side="right")
    trouble[:1] = len(_TROUBLES)  # nothing ran before the first one
    line.rolled_back = _not_twice_in_a_row(trouble == 0)
    fixed = np.flatnonzero((trouble == 1) | (trouble == 2))
    # Where the next release is due soon, so is the repair.
    landed = line.at[fixed] + np.minimum(uniform(rng, 900, 5400, len(fixed)), _pace(line.at) + 600)
    deployed = landed + np.minimum(uniform(rng, 300, 1200, len(fixed)), _pace(line.at) // 4 + 240)
    fixed, landed, deployed = (part[deployed < end - HOUR] for part in (fixed, landed, deployed))
    gives_way = _overtaken(line, landings["at"][line.key], fixed, landed, deployed)
    stays = ~gives_way[fixed]
    fixed, landed, deployed = fixed[stays], landed[stays], deployed[stays]
    repairs = new_landings(landed, int(landings["app"][0]), int(landings["key"][-1]) + 1)
    is_revert = trouble[fixed] == 2
    repairs["role"] = np.where(is_revert, Role.REVERT, Role.HOTFIX)
    repairs["target"] = np.where(is_revert, landings["key"][line.key[fixed]], -1)
    line.kept[fixed] = True
    line.kept |= line.rolled_back
    incidents = _incidents(rng, line, (trouble == 3) | ((trouble < 3) & (rng.random(len(trouble)) < 0.3)), end)
    merged = _with_fixes(rng, line, gives_way, fixed, deployed, len(landings))
    return merged, repairs, incidents


def _overtaken(
    line: _Line, landed_at: Moments, fixed: NDArray[np.int64], fix_landed: Moments, fix_deployed: Moments
) -> NDArray[np.bool_]:
    """Tell which deployments would stand between a failed one and its repair, or bring less than the repair had."""
    fixes_before = np.searchsorted(fixed, np.arange(len(line.at)), side="left")
    latest = [np.concatenate([[0], np.maximum.accumulate(part)]) for part in (fix_landed, fix_deployed)]
    return (landed_at <= latest[0][fixes_before]) | (line.at <= latest[1][fixes_before])


def _with_fixes(
    rng: np.random.Generator,
    line: _Line,
    gives_way: NDArray[np.bool_],
    fixed: NDArray[np.int64],
    deployed: Moments,
    first_key: int,
) -> _Line:
    """Return the line with its repairs, some of which say which version they fix."""
    says_so = rng.random(len(fixed)) < 0.3
    fixes = _Line.of(deployed, np.arange(first_key, first_key + len(fixed)))
    fixes.fixes = np.where(says_so, line.key[fixed], -1)
    fixes.kept[:] = True
    stays = line.take(~gives_way)
    both = _Line(
        *(
            np.concatenate([getattr(stays, name), getattr(fixes, name)])
            for name in ("at", "key", "rolled_back", "fixes", "kept")
        )
    )
    return both.take(np.argsort(both.at, kind="stable"))


def _incidents(rng: np.random.Generator, line: _Line, chosen: NDArray[np.bool_], end: int) -> Incidents:
    number = int(chosen.sum())
    started = line.at[chosen] + uniform(rng, 120, 3 * HOUR, number)
    lasted = np.clip(rng.lognormal(np.log(1.5 * HOUR), 1.1, number), 300, 5 * DAY).astype(np.int64)
    known = started < end
    started, resolved = started[known], (started + lasted)[known]
    return Incidents(started, np.where(resolved < end, resolved, 0))


def _track(rng: np.random.Generator, line: _Line, count: int, failed_share: float, end: int) -> Entries:
    """Return exactly so many entries: the line, failed attempts, rollbacks, and redeploys for the rest."""
    if count == 0:
        return np.zeros(0, ENTRY)
    line = _shortened(rng, line, count)
    left = count - len(line.at)
    rolled = np.flatnonzero(line.rolled_back)[:left]
    left -= len(rolled)
    number = min(left, int(rng.binomial(len(line.at), failed_share)))
    attempted = _choose(rng, len(line.at), number) if number else np.empty(0, np.int64)
    following = np.append(line.at[1:], line.at[-1:] + DAY)
    preceding = np.append(line.at[:1] - DAY, line.at[:-1])
    running = np.setdiff1d(np.arange(len(line.at)), rolled)
    again = np.sort(rng.choice(running, left - number)) if left > number else np.empty(0, np.int64)
    parts = [
        _entries(line.at, line.key, line.fixes),
        _entries(_between(rng, line.at, following, rolled, 480, 2 * HOUR), line.key[rolled - 1]),
        _entries(_between(rng, line.at, following, again, 60, 5 * HOUR), line.key[again]),
        _entries(
            line.at[attempted] - _between(rng, preceding, line.at, attempted, 60, 1500) + preceding[attempted],
            line.key[attempted], reached=False,
        ),
    ]  # fmt: skip
    entries = np.concatenate(parts)
    entries = entries[np.argsort(entries["at"], kind="stable")]
    entries["at"] = np.minimum(climb(entries["at"]), end - np.arange(len(entries), 0, -1))
    return entries


def _shortened(rng: np.random.Generator, line: _Line, count: int) -> _Line:
    """Take out of a line what is too much of it, as long as nothing depends on it."""
    room = int(line.rolled_back.sum())
    surplus = min(len(line.at), max(0, len(line.at) + room - count))
    plain = np.flatnonzero(~line.kept)
    plain = plain[plain > 0]
    # A rollback returns to what stands before it, so that may go as well: then to what stands before that.
    out = rng.choice(plain, min(surplus, len(plain)), replace=False) if surplus else plain[:0]
    line = line.take(np.setdiff1d(np.arange(len(line.at)), out))
    line.rolled_back = _not_twice_in_a_row(line.rolled_back)
    return line if len(line.at) <= count else line.take(np.arange(count))


def _between(
    rng: np.random.Generator, begin: Moments, end: Moments, chosen: NDArray[np.int64], low: int, high: int
) -> Moments:
    """Return moments soon after the chosen ones, and before those that follow."""
    gap = end[chosen] - begin[chosen]
    moments: Moments = begin[chosen] + np.maximum(1, np.minimum(uniform(rng, low, high, len(chosen)), gap * 7 // 10))
    return moments


def _entries(
    at: Moments, key: NDArray[np.int64], fixes: NDArray[np.int64] | None = None, *, reached: bool = True
) -> Entries:
    entries = np.zeros(len(at), ENTRY)
    entries["at"], entries["key"], entries["reached"] = at, key, reached
    entries["fixes"] = -1 if fixes is None else fixes
    return entries
