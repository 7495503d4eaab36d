"""The organisation whose history is made up: its people, teams, repositories, applications."""

from dataclasses import dataclass

import numpy as np

from deployments.catalog import Catalog
from deployments.generating.moments import DAY, Calendar
from deployments.generating.releases import ENVIRONMENTS, SHARES, Lifetime
from deployments.models import Application, Environment, Repository, Team, TeamMember, Workspace

_SUBJECTS = (
    "account", "address", "audit", "basket", "billing", "booking", "campaign", "catalogue", "checkout", "claims",
    "contract", "coupon", "currency", "customer", "delivery", "document", "finance", "fraud", "identity",
    "inventory",
    "invoice", "ledger", "loyalty", "mail", "media", "notification", "offer", "order", "partner", "payment",
    "pricing", "profile", "recommendation", "refund", "report", "returns", "search", "shipping", "stock",
    "supplier", "tax",
)  # fmt: skip
_KINDS = ("api", "worker", "web", "gateway", "jobs", "admin")
_GIVEN = ("ada", "alan", "barbara", "dennis", "donald", "edsger", "frances", "grace", "john", "karen", "ken",
          "leslie", "linus", "margaret", "niklaus", "radia", "robin", "sophie", "tim", "tony")  # fmt: skip
_FAMILY = ("allen", "berg", "costa", "dahl", "engel", "fischer", "garcia", "haas", "ito", "jensen", "koch", "lopez")
_TEAMS = 20
_PEOPLE = 6  # in a team
BOT = "renovate[bot]"
_VERBS = ("Add", "Allow", "Cache", "Check", "Document", "Extend", "Fix", "Handle", "Log", "Measure", "Move", "Remove",
          "Rename", "Retry", "Simplify", "Split", "Test", "Translate", "Tune", "Validate")  # fmt: skip
_OBJECTS = (
    "addresses", "alerts", "amounts", "caching", "configuration", "connections", "currencies", "dates", "defaults",
    "e-mails", "errors", "exports", "filters", "forms", "headers", "imports", "limits", "locks", "logging", "metrics",
    "migrations", "names", "pagination", "permissions", "queues", "reports", "retries", "sessions", "time zones",
    "timeouts", "tokens", "validation",
)  # fmt: skip
TITLES = tuple(f"{verb} {what}" for verb in _VERBS for what in _OBJECTS)
BOT_TITLES = tuple(f"Update {name} to the latest version" for name in ("boto", "celery", "django", "numpy", "ruff"))


@dataclass(slots=True)
class Member:
    """An application of the organisation, and how it is deployed."""

    application: Application
    environments: dict[str, Environment]
    counts: tuple[int, ...]  # deployments, by ENVIRONMENTS
    life: Lifetime
    is_reported_by_github: bool
    states_times: bool
    path: str


@dataclass(slots=True)
class Household:
    """A repository with its applications."""

    number: int
    repository: Repository
    members: list[Member]
    people: list[str]  # the last one is a bot
    sends_commits: bool


def found(
    workspace: Workspace, calendar: Calendar, deployments: int, applications: int, seed: int
) -> list[Household]:
    """Create teams, repositories and applications, and say how often each of these is deployed."""
    rng = np.random.default_rng([seed, 1])
    sizes = _sizes(applications)
    names = _names(applications)
    counts = _shares(rng, deployments, sizes)
    teams = [_team(workspace, number) for number in range(min(_TEAMS, applications))]
    catalog = Catalog(workspace)
    households, first = [], 0
    for number, size in enumerate(sizes):
        own = slice(first, first + size)
        household = _household(catalog, number, names[own], *teams[number % len(teams)])
        for member, of_member in zip(household.members, counts[own], strict=True):
            member.counts, member.life = of_member, _lifetime(rng, calendar)
        households.append(household)
        first += size
    return households


def _household(catalog: Catalog, number: int, names: list[str], team: Team, people: list[str]) -> Household:
    is_monorepo = len(names) > 1
    repository = catalog.repository(f"example/{names[0]}-platform" if is_monorepo else f"example/{names[0]}")
    environments = {name: catalog.environment(name) for name in ENVIRONMENTS}
    by_github = not is_monorepo and number % 10 == 3
    members = []
    for name in names:
        path = f"services/{name}" if is_monorepo else ""
        application = _application(catalog, repository, name, path)
        states_times = not by_github and number % 3 != 1
        members.append(Member(application, environments, (), Lifetime(0, 0), by_github, states_times, path))
    if number % 20 != 19:
        team.applications.add(*(member.application for member in members))
    # There is always somebody whose pipeline tells nothing of commits.
    return Household(number, repository, members, people, sends_commits=number % 70 != 69)


def _sizes(applications: int) -> list[int]:
    """Return how many applications each repository has: about half have one of their own, five share a monorepo."""
    shared = applications // 2 // 5
    return [1] * (applications - 5 * shared) + [5] * shared


def _names(applications: int) -> list[str]:
    number = len(_SUBJECTS)
    return [
        f"{_SUBJECTS[index % number]}{index // number // len(_KINDS) or ''}-{_KINDS[index // number % len(_KINDS)]}"
        for index in range(applications)
    ]


def _shares(rng: np.random.Generator, deployments: int, sizes: list[int]) -> list[tuple[int, ...]]:
    """Share deployments out among applications and environments, to the last one. Those of monorepos are smaller."""
    weights = rng.lognormal(0, 0.7, sum(sizes)) * np.repeat([1.0 if size == 1 else 0.35 for size in sizes], sizes)
    wanted = (weights / weights.sum())[:, None] * np.array(SHARES)[None, :] * deployments
    whole = np.floor(wanted).astype(np.int64)
    rest = deployments - int(whole.sum())
    most = np.argsort(-(wanted - whole), axis=None, kind="stable")[:rest]
    whole[np.unravel_index(most, whole.shape)] += 1
    return [tuple(int(count) for count in row) for row in whole]


def _lifetime(rng: np.random.Generator, calendar: Calendar) -> Lifetime:
    """Return a time: one in four begins later than the history, one in twelve stops before its end."""
    length = calendar.end - calendar.start
    start = calendar.start + (int(rng.uniform(0.02, 0.4) * length) if rng.random() < 0.25 else 0)
    stops = rng.random() < 0.08
    end = calendar.end - (int(rng.uniform(12, min(300, length / DAY / 3 + 12)) * DAY) if stops else 0)
    return Lifetime(start, max(end, start + 2 * DAY))


def _team(workspace: Workspace, number: int) -> tuple[Team, list[str]]:
    team = Team.objects.create(workspace=workspace, name=f"{_SUBJECTS[2 * number].title()} team")
    people = [
        f"{_GIVEN[(number + 3 * person) % len(_GIVEN)]}-{_FAMILY[(number + person) % len(_FAMILY)]}"
        for person in range(_PEOPLE)
    ]
    for name in people:
        TeamMember.objects.create(team=team, name=name)
    return team, [*people, BOT]


def _application(catalog: Catalog, repository: Repository, name: str, path: str) -> Application:
    application = catalog.application(repository, name)
    if path:
        application.monorepo_path = path
        application.save(update_fields=["monorepo_path"])
    return application
