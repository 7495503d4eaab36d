"""Which of a day's deployments and changes a selection is about, environments apart."""

from dataclasses import dataclass

import numpy as np

from deployments.models import Application, TeamMember
from deployments.names import name_key
from metrics.packing import Bots, DayDetail, DayNumbers, Mask, everything, measured, sum_up
from metrics.selections import Selection


@dataclass(frozen=True, slots=True)
class TeamSlice:
    """Applications of the teams asked for, applications of any team, and the keys of the names of their people."""

    own: frozenset[int]
    owned: frozenset[int]
    people: frozenset[str]


@dataclass(frozen=True, slots=True)
class Slice:
    """What to choose of each day. None stands for all."""

    applications: frozenset[int] | None = None
    team: TeamSlice | None = None
    authors: frozenset[str] | None = None
    bots: Bots = Bots.APART

    @property
    def is_everything(self) -> bool:
        """Whether it is what the sums of rollups are of."""
        return self == Slice()

    def numbers(self, detail: DayDetail) -> DayNumbers:
        """Return the numbers of what is chosen of a day."""
        if self.is_everything:
            return everything(detail)
        return sum_up(detail, *self.masks(detail), self.bots)

    def measured(self, detail: DayDetail) -> Mask:
        """Tell of each change of a day whether its lead time is among those chosen."""
        return measured(detail, self.masks(detail)[1], self.bots)

    def masks(self, detail: DayDetail) -> tuple[Mask, Mask]:
        """Tell of each deployment and of each change of a day whether it is chosen, bots aside."""
        deployments = np.ones(len(detail.marks), np.bool_)
        if self.applications is not None:
            deployments &= _is_one_of(detail, self.applications)
        if self.team is not None:
            of_people = ~_is_one_of(detail, self.team.owned) & _is_by(detail, self.team.people)[detail.authors]
            deployments &= _is_one_of(detail, self.team.own) | of_people
        changes = deployments[detail.change_deployments]
        if self.authors is not None:
            is_by = _is_by(detail, self.authors)
            deployments = deployments & is_by[detail.authors]
            changes = changes & is_by[detail.change_authors]
        return deployments, changes


def _is_one_of(detail: DayDetail, applications: frozenset[int]) -> Mask:
    return np.isin(detail.applications, np.fromiter(applications, np.int64))


def _is_by(detail: DayDetail, people: frozenset[str]) -> Mask:
    """Tell of each name of the day whether it is one of these people's."""
    return np.fromiter((name in people for name in detail.names), np.bool_, len(detail.names))


def slice_of(selection: Selection) -> Slice:
    """Return what a selection chooses. Causes queries only for repositories and teams."""
    return Slice(
        _applications(selection),
        _team(selection),
        frozenset(name_key(name) for name in selection.authors) if selection.authors else None,
        Bots(selection.bots),
    )


def _applications(selection: Selection) -> frozenset[int] | None:
    chosen = frozenset(application.pk for application in selection.applications)
    if not selection.repositories:
        return chosen if selection.applications else None
    of_repositories = Application.objects.filter(repository__in=selection.repositories)
    found = frozenset(of_repositories.values_list("pk", flat=True))
    return found & chosen if selection.applications else found


def _team(selection: Selection) -> TeamSlice | None:
    if not selection.teams:
        return None
    wanted = {team.pk for team in selection.teams}
    links = Application.teams.through.objects.filter(team__workspace=selection.workspace)
    pairs = list(links.values_list("team_id", "application_id"))
    people = TeamMember.objects.filter(team__in=selection.teams)
    return TeamSlice(
        own=frozenset(application for team, application in pairs if team in wanted),
        owned=frozenset(application for _, application in pairs),
        people=frozenset(people.values_list("name_key", flat=True)),
    )
