"""Composes what the applications of a repository land and deploy, and says which ids its rows are to have."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deployments.generating.landings import Landings, Style, dress, in_order, new_landings
from deployments.generating.moments import DAY, Calendar
from deployments.generating.organisation import TITLES, Household, Member
from deployments.generating.outcomes import Indices, TrackHistory, track_history
from deployments.generating.releases import ENVIRONMENTS, Incidents, Plan, plan_application
from deployments.generating.repairs import Verdicts, judge
from deployments.models import Track

_ROOT_BEFORE = 60 * DAY


@dataclass(slots=True)
class Numbered:
    """The ids of things in order of time: those of each part of the time follow one another."""

    bounds: Indices  # by part: how many there are before it
    shifts: Indices  # by part: what to add to a thing's place to get its id

    def ids(self, places: Indices) -> Indices:
        """Return the ids of the things at these places."""
        return places + self.shifts[np.searchsorted(self.bounds, places, side="right") - 1]

    def of_part(self, part: int) -> slice:
        """Return the places of the things of a part."""
        return slice(int(self.bounds[part]), int(self.bounds[part + 1]))


@dataclass(slots=True)
class PlannedTrack:
    """The history of a track, and what failed on it."""

    track: Track
    member: Member
    counts: NDArray[np.bool_] | None  # by position: whether it is a change here
    history: TrackHistory
    verdicts: Verdicts
    incidents: Incidents
    deployments: Numbered


@dataclass(slots=True)
class PlannedRepository:
    """The history of a repository. Places of commits are those on the main branch, the first one 0."""

    household: Household
    landings: Landings
    last_commit: NDArray[np.int32]  # by position: the place of its last commit
    shas: NDArray[np.uint8]  # of the commits of the main branch, 20 bytes each
    branch_shas: NDArray[np.uint8]  # by position: the tip of the branch of a squashed pull request
    tracks: list[PlannedTrack]
    landed: Numbered  # counts landings
    commits: Numbered
    branch_commits: Numbered  # counts squashed pull requests
    pull_requests: Numbered  # counts pull requests
    branch_place: NDArray[np.int32]  # by position: how many squashed pull requests there were before
    pull_request_place: NDArray[np.int32]

    @property
    def has_short_versions(self) -> bool:
        """Whether versions are short hashes, as many pipelines have it."""
        return self.household.number % 5 == 0


def plan_repository(rng: np.random.Generator, calendar: Calendar, household: Household) -> PlannedRepository:
    """Plan what lands in a repository and what is deployed of it."""
    root_at = calendar.start - _ROOT_BEFORE
    plans: list[Plan] = []
    root = new_landings(np.array([root_at], np.int64), -1, 0)
    root["first_commit_at"] = root_at
    style = Style.SQUASH
    if len(household.members) == 1:
        style = (Style.SQUASH, Style.SQUASH, Style.FAST_FORWARD, Style.SINGLE)[household.number % 4]
    parts = [root]
    for number, member in enumerate(household.members):
        plan = plan_application(
            rng, calendar, member.life, member.counts, number, sum(map(len, parts)),
            only_forward=not household.sends_commits,
        )  # fmt: skip
        dress(rng, plan.landings, style, people=len(household.people), titles=len(TITLES))
        if len(household.members) > 1:
            _touch_others(rng, plan.landings, len(household.members))
        plans.append(plan)
        parts.append(plan.landings)
    landings, positions = in_order(np.concatenate(parts), root_at)
    planned = _without_tracks(rng, household, landings)
    for number, (member, plan) in enumerate(zip(household.members, plans, strict=True)):
        planned.tracks += _tracks(household, member, plan, number, landings, positions)
    return planned


def _touch_others(rng: np.random.Generator, landings: Landings, applications: int) -> None:
    """Have one in ten landings of a monorepo touch a second application."""
    other = (landings["app"] + rng.integers(1, applications, len(landings))) % applications
    shared = (rng.random(len(landings)) < 0.1) & (landings["role"] == 0)
    landings["also"] = np.where(shared, other, -1)


def _without_tracks(rng: np.random.Generator, household: Household, landings: Landings) -> PlannedRepository:
    last_commit = (np.cumsum(landings["commits"], dtype=np.int32) - 1).astype(np.int32)
    number = int(last_commit[-1]) + 1
    squashed, pulled = landings["style"] == Style.SQUASH, landings["style"] != Style.SINGLE
    nothing = Numbered(np.zeros(1, np.int64), np.zeros(1, np.int64))
    return PlannedRepository(
        household,
        landings,
        last_commit,
        np.frombuffer(rng.bytes(20 * number), np.uint8).reshape(number, 20),
        np.frombuffer(rng.bytes(20 * len(landings)), np.uint8).reshape(len(landings), 20),
        [],
        nothing,
        nothing,
        nothing,
        nothing,
        (np.cumsum(squashed) - squashed).astype(np.int32),
        (np.cumsum(pulled) - pulled).astype(np.int32),
    )


def _tracks(
    household: Household, member: Member, plan: Plan, number: int, landings: Landings, positions: Indices
) -> list[PlannedTrack]:
    counts = None
    if household.sends_commits:
        counts = np.ones(len(landings), bool)
        if member.path:
            counts = (landings["app"] == number) | (landings["also"] == number)
    nothing = Numbered(np.zeros(1, np.int64), np.zeros(1, np.int64))
    none = Incidents(np.empty(0, np.int64), np.empty(0, np.int64))
    tracks = []
    for name in ENVIRONMENTS:
        entries = plan.tracks[name]
        if not len(entries):
            continue
        history = track_history(entries, positions, counts)
        incidents = plan.incidents if name == "production" else none
        verdicts = judge(history, landings, counts, incidents)
        track = Track(application=member.application, environment=member.environments[name])
        tracks.append(PlannedTrack(track, member, counts, history, verdicts, incidents, nothing))
    return tracks


def number_things(repositories: list[PlannedRepository], calendar: Calendar, first: dict[str, int]) -> None:
    """Give every commit, pull request and deployment its id: part by part, as they are written."""
    for planned in repositories:
        lies_in = calendar.part_of(planned.landings["at"])
        edges = np.searchsorted(lies_in, np.arange(len(calendar.parts) + 1))
        planned.landed = _bounded(edges)
        planned.commits = _bounded(np.concatenate([[0], planned.last_commit + 1])[edges])
        for name, style in (
            ("branch_commits", [Style.SQUASH]),
            ("pull_requests", [Style.SQUASH, Style.FAST_FORWARD]),
        ):
            upto = np.concatenate([[0], np.cumsum(np.isin(planned.landings["style"], style))])
            setattr(planned, name, _bounded(upto[edges]))
        for track in planned.tracks:
            lies_in = calendar.part_of(track.history.at)
            track.deployments = _bounded(np.searchsorted(lies_in, np.arange(len(calendar.parts) + 1)))
    next_id = dict(first)
    for part in range(len(calendar.parts)):
        for planned in repositories:
            if planned.household.sends_commits:
                _number(planned.commits, part, next_id, "commit")
                _number(planned.branch_commits, part, next_id, "commit")
                _number(planned.pull_requests, part, next_id, "pull_request")
            for track in planned.tracks:
                _number(track.deployments, part, next_id, "deployment")


def _bounded(bounds: Indices) -> Numbered:
    return Numbered(bounds.astype(np.int64), np.zeros(len(bounds), np.int64))


def _number(things: Numbered, part: int, next_id: dict[str, int], name: str) -> None:
    first, last = int(things.bounds[part]), int(things.bounds[part + 1])
    things.shifts[part] = next_id[name] - first
    next_id[name] += last - first
