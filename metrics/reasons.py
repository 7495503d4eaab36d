"""Why the lead time moved: a change of the mean, split so that the parts add up to it.

The mean is split and not the median, because only means add up. The split is Kitagawa's (1955): what a group's own
mean changed is weighed with the average of its shares, what its share changed with the average of its means. So the
parts add up exactly, and the same move backwards has the same parts with the other sign.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deployments.models import Application
from deployments.units import signed_duration
from metrics import rollups
from metrics.facts import STAGES
from metrics.packing import ChangeMark, DayDetail, Mask
from metrics.selections import Selection
from metrics.slices import slice_of
from metrics.uncertainty import Sample, means_differ

Stages = tuple[float, float, float, float, float]
_NO_STAGES: Stages = (0.0, 0.0, 0.0, 0.0, 0.0)
_MOST_REASONS = 3
# A reason that is less than this share of the largest one is left to the tables.
_WORTH_TELLING = 0.1

STAGE_LABELS = {name: name.replace("_", " ") for name in STAGES}
SINGLE_LABEL = "changes without a pull request"
KINDS_LABEL = "another share of pull requests"
MIX_LABEL = "another mix of applications"


@dataclass(frozen=True, slots=True)
class Tally:
    """The changes of one application in one period, in seconds: those with stages, and those without."""

    staged: int = 0
    stage_seconds: Stages = _NO_STAGES
    single: int = 0
    single_seconds: float = 0.0

    @property
    def changes(self) -> int:
        return self.staged + self.single

    @property
    def seconds(self) -> float:
        return sum(self.stage_seconds) + self.single_seconds

    @property
    def mean(self) -> float:
        """Of all its changes; there has to be one."""
        return self.seconds / self.changes

    @property
    def stage_means(self) -> Stages:
        return _scaled(self.stage_seconds, 1 / self.staged) if self.staged else _NO_STAGES

    @property
    def single_mean(self) -> float | None:
        return self.single_seconds / self.single if self.single else None


@dataclass(frozen=True, slots=True)
class Side:
    """An application in one period: its share of all changes, and their mean, None where it has none."""

    changes: int
    share: float
    mean: float | None


@dataclass(frozen=True, slots=True)
class Part:
    """What one application has to do with the move, in seconds of the mean of all.

    Its changes took longer, by stage or as single commits, or more of them were of the slower sort (`kinds`): that is
    `slower`. And there were more or fewer of them among all: that is `mix`.
    """

    before: Side
    now: Side
    stages: Stages
    single: float
    kinds: float
    mix: float

    @property
    def slower(self) -> float:
        return sum(self.stages) + self.single + self.kinds

    @property
    def total(self) -> float:
        return self.slower + self.mix


@dataclass(frozen=True, slots=True)
class Move:
    """A change of the mean lead time, in seconds, and its parts by application."""

    before: Tally
    now: Tally
    parts: dict[int, Part]

    @property
    def change(self) -> float:
        return self.now.mean - self.before.mean

    @property
    def slower(self) -> float:
        return sum(part.slower for part in self.parts.values())

    @property
    def mix(self) -> float:
        return sum(part.mix for part in self.parts.values())


@dataclass(frozen=True, slots=True)
class Reason:
    """One kind of reason: a stage, single commits, kinds or mix; in all, and by application.

    `before` and `now` are the means of a stage, or of single commits; None where there are none.
    """

    label: str
    total: float
    by_application: dict[int, float]
    before: float | None
    now: float | None


def split(before: Mapping[int, Tally], now: Mapping[int, Tally]) -> Move | None:
    """Return the move from one period to another, by application; None where either has no changes."""
    there, here = _together(before.values()), _together(now.values())
    if not there.changes or not here.changes:
        return None
    average = (there.mean + here.mean) / 2
    parts = {}
    for key in sorted({*before, *now}):
        was, is_now = before.get(key, Tally()), now.get(key, Tally())
        if was.changes or is_now.changes:
            sides = _side(was, there.changes), _side(is_now, here.changes)
            parts[key] = _part(was, is_now, *sides, average=average)
    return Move(there, here, parts)


def _together(tallies: Iterable[Tally]) -> Tally:
    rows = list(tallies)
    return Tally(
        sum(row.staged for row in rows),
        tuple(sum(row.stage_seconds[place] for row in rows) for place in range(len(STAGES))),  # type: ignore[arg-type]
        sum(row.single for row in rows),
        sum(row.single_seconds for row in rows),
    )


def _side(tally: Tally, of_all: int) -> Side:
    return Side(tally.changes, tally.changes / of_all, tally.mean if tally.changes else None)


def _part(there: Tally, here: Tally, before: Side, now: Side, *, average: float) -> Part:
    # What there was only once has not become slower: that it came or went is a change of the mix.
    mean_before = before.mean if before.mean is not None else here.mean
    mean_now = now.mean if now.mean is not None else there.mean
    mix = (now.share - before.share) * ((mean_before + mean_now) / 2 - average)
    weight = (before.share + now.share) / 2
    stages, single, kinds = _within(there, here) if there.changes and here.changes else (_NO_STAGES, 0.0, 0.0)
    return Part(before, now, _scaled(stages, weight), single * weight, kinds * weight, mix)


def _within(there: Tally, here: Tally) -> tuple[Stages, float, float]:
    """Split the change of one application's own mean: by stage, of single commits, and by how many are single."""
    share_before, share_now = there.staged / there.changes, here.staged / here.changes
    weight = (share_before + share_now) / 2
    # Where there were none, nothing changed: their means are those of the other period.
    stages_before, stages_now = (
        tally.stage_means for tally in (there if there.staged else here, here if here.staged else there)
    )
    single_before, single_now = (
        tally.single_mean or 0.0 for tally in (there if there.single else here, here if here.single else there)
    )
    slower = tuple(weight * (new - old) for old, new in zip(stages_before, stages_now, strict=True))
    distance = (sum(stages_before) + sum(stages_now) - single_before - single_now) / 2
    kinds = (share_now - share_before) * distance
    return slower, (1 - weight) * (single_now - single_before), kinds  # type: ignore[return-value]


def _scaled(stages: Stages, factor: float) -> Stages:
    return tuple(value * factor for value in stages)  # type: ignore[return-value]


def reasons(move: Move) -> list[Reason]:
    """Return the reasons that together are the move: the stages in their order, then what is not in stages."""
    chosen: list[tuple[str, Callable[[Part], float], Callable[[Tally], float | None]]] = [
        *((STAGE_LABELS[name], _stage_at(place), _mean_at(place)) for place, name in enumerate(STAGES)),
        (SINGLE_LABEL, lambda part: part.single, lambda tally: tally.single_mean),
        (KINDS_LABEL, lambda part: part.kinds, lambda _: None),
        (MIX_LABEL, lambda part: part.mix, lambda _: None),
    ]
    return [
        Reason(
            label,
            sum(choose(part) for part in move.parts.values()),
            {key: choose(part) for key, part in move.parts.items()},
            mean(move.before),
            mean(move.now),
        )
        for label, choose, mean in chosen
    ]


def _mean_at(place: int) -> Callable[[Tally], float | None]:
    return lambda tally: tally.stage_means[place] if tally.staged else None


def _stage_at(place: int) -> Callable[[Part], float]:
    return lambda part: part.stages[place]


def in_a_sentence(move: Move, names: Mapping[int, str]) -> str:
    """Return the move and its largest reasons: `+9 h: +7 h waiting for deployment, all in billing; …`."""
    found = sorted(reasons(move), key=lambda reason: -abs(reason.total))
    worth = max(0.5, abs(found[0].total) * _WORTH_TELLING)  # less than half a second is an error of rounding
    told = [reason for reason in found[:_MOST_REASONS] if abs(reason.total) >= worth]
    if not told:
        return "Nothing changed."
    because = "; ".join(
        f"{signed_duration(reason.total)} {reason.label}{_where(reason, names) if len(move.parts) > 1 else ''}"
        for reason in told
    )
    return f"{signed_duration(move.change)}: {because}."


def _where(reason: Reason, names: Mapping[int, str]) -> str:
    """Return which applications a reason comes from, as far as few make most of it."""
    direction = 1 if reason.total > 0 else -1
    along = sorted(
        ((key, value) for key, value in reason.by_application.items() if value * direction > 0),
        key=lambda row: (-row[1] * direction, row[0]),
    )
    first = names[along[0][0]]
    through = "because of" if reason.label == MIX_LABEL else "in"
    if along[0][1] / reason.total >= 0.95 and not _against(reason, direction):
        return f", all {through} {first}"
    if along[0][1] / reason.total >= 0.6:
        return f", mostly {through} {first}"
    if len(along) > 1 and (along[0][1] + along[1][1]) / reason.total >= 0.6:
        return f", mostly {through} {first} and {names[along[1][0]]}"
    return f", across {len(along)} applications"


def _against(reason: Reason, direction: int) -> bool:
    """Tell whether some applications went the other way, by more than a trifle."""
    against: Iterable[float] = (value for value in reason.by_application.values() if value * direction < 0)
    return abs(sum(against)) > 0.05 * abs(reason.total)


@dataclass(frozen=True, slots=True)
class Why:
    """The move of the mean lead time against the period before; None where either period has no changes."""

    move: Move | None
    names: dict[int, str]
    is_signal: bool
    sentence: str


def why(selection: Selection) -> Why:
    """Return why the lead time of a selection moved. The number of queries depends on nothing."""
    period, previous = selection.period, selection.period.previous()
    now, before = _Tallies(), _Tallies()
    chosen = slice_of(selection)
    for day, detail in rollups.details(selection, previous.first, period.last):
        (now if day >= period.first else before).add(detail, chosen.measured(detail))
    move = split(before.by_application, now.by_application)
    if move is None:
        return Why(None, {}, False, "")
    names = _names(move)
    return Why(move, names, means_differ(now.sample(), before.sample()), in_a_sentence(move, names))


def _names(move: Move) -> dict[int, str]:
    """Return how the applications are called; with their repository where two are called the same."""
    rows = list(Application.objects.filter(pk__in=move.parts).values_list("pk", "name", "repository__full_name"))
    times = Counter(name for _, name, _ in rows)
    names = {pk: name if times[name] == 1 else f"{name} ({repository})" for pk, name, repository in rows}
    return {key: names.get(key, "deleted") for key in move.parts}


class _Tallies:
    """The changes of a period, as they are counted day by day."""

    def __init__(self) -> None:
        self._rows: dict[int, NDArray[np.float64]] = {}
        self._squares = 0.0

    def add(self, detail: DayDetail, counted: Mask) -> None:
        """Add the changes of a day that are counted."""
        if not counted.any():
            return
        applications = detail.applications[detail.change_deployments]
        keys, places = np.unique(applications[counted], return_inverse=True)
        is_staged = (detail.change_marks & int(ChangeMark.STAGED)) != 0
        staged = is_staged[counted]
        leads = detail.leads[counted].astype(np.float64)
        of_staged = places[staged]
        columns = [
            np.bincount(of_staged, minlength=len(keys)),
            *(np.bincount(of_staged, stage[counted[is_staged]], len(keys)) for stage in detail.stages),
            np.bincount(places[~staged], minlength=len(keys)),
            np.bincount(places[~staged], leads[~staged], len(keys)),
        ]
        for key, row in zip(keys.tolist(), np.column_stack(columns), strict=True):
            self._rows[key] = self._rows[key] + row if key in self._rows else row
        self._squares += float(leads @ leads)

    @property
    def by_application(self) -> dict[int, Tally]:
        return {
            key: Tally(int(staged), tuple(stages), int(single), seconds)
            for key, (staged, *stages, single, seconds) in ((key, row.tolist()) for key, row in self._rows.items())
        }

    def sample(self) -> Sample:
        """Return the lead times of all applications, as far as tests of means need them."""
        tallies = self.by_application.values()
        count = sum(tally.changes for tally in tallies)
        mean = sum(tally.seconds for tally in tallies) / count
        return Sample(count, mean, max(0.0, self._squares - count * mean * mean) / max(1, count - 1))
