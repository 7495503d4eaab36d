"""How numbers of the plan read: hashes, moments, versions, messages."""

import datetime
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from deployments.generating.histories import PlannedRepository
from deployments.generating.landings import Landings, Role, Style
from deployments.generating.moments import DAY, Moments
from deployments.generating.organisation import BOT_TITLES, TITLES
from deployments.generating.outcomes import Indices

_CLOCK = [f" {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}" for second in range(DAY)]
_DATES: dict[int, str] = {}
_HEX = 40


def times(moments: Moments) -> list[str | None]:
    """Return moments as both databases read them; None for 0."""
    days, seconds = np.divmod(moments, DAY)
    for day in set(days.tolist()) - _DATES.keys():
        _DATES[day] = (datetime.date(1970, 1, 1) + datetime.timedelta(days=day)).isoformat()
    texts: list[str | None] = [
        _DATES[day] + _CLOCK[second] for day, second in zip(days.tolist(), seconds.tolist(), strict=True)
    ]
    for place in np.flatnonzero(moments == 0).tolist():
        texts[place] = None
    return texts


def or_none(values: Indices, known: NDArray[np.bool_]) -> list[int | None]:
    """Return the values, None in place of those not known."""
    found: list[int | None] = values.tolist()
    for place in np.flatnonzero(~known).tolist():
        found[place] = None
    return found


def hashes(raw: NDArray[np.uint8], places: Indices) -> list[str]:
    """Return the hashes of commits."""
    text = raw[places].tobytes().hex()
    return [text[start : start + _HEX] for start in range(0, len(text), _HEX)]


def versions(planned: PlannedRepository, positions: Indices) -> list[str]:
    """Return what is deployed where the main branch has got to a position: each has a version of its own."""
    if planned.has_short_versions:
        return [sha[:12] for sha in hashes(planned.shas, planned.last_commit[positions])]
    return [f"1.{position // 100}.{position % 100}" for position in positions.tolist()]


class Titles:
    """The titles of what lands in a repository."""

    def __init__(self, landings: Landings) -> None:
        self._landings = landings

    def of(self, positions: Iterable[int]) -> list[str]:
        """Return the titles of changes as people wrote them."""
        return [self._of(position) for position in positions]

    def _of(self, position: int) -> str:
        row = self._landings[position]
        if row["role"] == Role.REVERT:
            return f'Revert "{self._of(int(row["target"]))}"'
        if row["is_bot"]:
            return BOT_TITLES[int(row["title"]) % len(BOT_TITLES)]
        title = TITLES[int(row["title"])]
        return f"Hotfix: {title}" if row["role"] == Role.HOTFIX else title

    def plain(self, chosen: slice) -> list[str]:
        """Return the titles of a stretch of the main branch."""
        rows = self._landings[chosen]
        titles = [TITLES[number] for number in rows["title"].tolist()]
        for place in np.flatnonzero(rows["is_bot"] | (rows["role"] != Role.NORMAL)).tolist():
            titles[place] = self._of(chosen.start + place)
        return titles


def subjects(landings: Landings, chosen: slice, titles: list[str]) -> list[str]:
    """Return the first lines of the commits that changes land as: squashed ones name their pull request."""
    subjects = list(titles)
    for place in np.flatnonzero(landings["style"][chosen] == Style.SQUASH).tolist():
        subjects[place] = f"{titles[place]} (#{chosen.start + place})"
    return subjects
