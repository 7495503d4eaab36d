"""Which deployments had to be repaired, and by what that is found: the rules of docs/failures.md.

Plain functions over plain data. `Line` is what they ask of a track; `deployments.evidence` answers from the database.
"""

import datetime
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from deployments.patterns import matching

ROLLBACK, DIVERGED, UNKNOWN, REDEPLOY, BASELINE = "rollback", "diverged", "unknown", "redeploy", "baseline"
_LONGEST_QUOTE = 120


class Reason(StrEnum):
    """By what a failure is found."""

    ROLLBACK = "rollback"
    REVERT = "revert"
    HOTFIX = "hotfix"
    FIXES_VERSION = "fixes_version"
    FAILED_STATUS = "failed_status"
    INCIDENT = "incident"


# The deployment by which one of these is found is the repair, and was unplanned.
REPAIRS = (Reason.ROLLBACK, Reason.REVERT, Reason.HOTFIX, Reason.FIXES_VERSION)


@dataclass(frozen=True, slots=True)
class Rules:
    """By what failures are found, in one workspace."""

    rollbacks: bool = True
    rollback_blame: str = "first"  # or last, or all
    reverts: bool = True
    hotfixes: bool = True
    hotfix_branches: tuple[str, ...] = ()
    hotfix_labels: tuple[str, ...] = ()
    hotfix_titles: tuple[str, ...] = ()
    failed_statuses: bool = True
    incidents: bool = True
    incident_window_hours: int = 24
    minimum_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment of a track that reached its environment, as the rules look at it."""

    id: int
    track: int
    deployed_at: datetime.datetime
    version: str
    commit: str
    kind: str  # its change kind
    fixes_version: str = ""

    @property
    def position(self) -> tuple[datetime.datetime, int]:
        """Where it stands on its track."""
        return (self.deployed_at, self.id)


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What a deployment ships that takes back what was shipped before, and who shipped that first."""

    words: str
    shipped_by: Deployed


@dataclass(frozen=True, slots=True)
class Shipped:
    """What is of interest among the changes of a deployment."""

    taken_back: Sequence[TakenBack] = ()
    hotfix: str = ""  # the change that makes it one, in words
    has_reverts: bool = False  # also such as blame nobody


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why a deployment counts as failed."""

    deployment: int
    reason: Reason
    why: str
    repaired_at: datetime.datetime | None = None
    repair: int | None = None
    incident: int | None = None


class Line(Protocol):
    """What is known of a track. Each answer is about deployments before a given one, in the order of the track."""

    def previous(self, deployment: Deployed) -> Deployed | None:
        """Return the deployment just before."""

    def original(self, deployment: Deployed) -> Deployed | None:
        """Return the deployment that put the commit there, where one is a redeploy; else the deployment itself."""

    def latest_of_commit(self, deployment: Deployed) -> Deployed | None:
        """Return the latest earlier deployment of the same commit."""

    def latest_of_version(self, deployment: Deployed) -> Deployed | None:
        """Return the latest earlier deployment of the same version, where all earlier ones have one commit."""

    def latest_fixed(self, deployment: Deployed) -> Deployed | None:
        """Return the latest earlier deployment of the version that this one says it fixes."""

    def between(self, start: Deployed, end: Deployed) -> Iterable[Deployed]:
        """Return what stands between two that is neither of the first one's commit nor a redeploy, oldest first."""

    def containing(self, deployment: Deployed) -> Iterable[Deployed]:
        """Return the unbroken run just before of those that contain the commit and more, oldest first.

        Redeploys are left out.
        """

    def is_repaired(self, blamed: Deployed, by: Deployed) -> bool:
        """Tell whether a deployment was repaired by one that stands before another."""


def blamed_by(deployment: Deployed, shipped: Shipped, rules: Rules, line: Line) -> list[Finding]:
    """Return what a deployment that reached its environment is the repair of, each failure once by each reason."""
    found: dict[tuple[int, Reason], Finding] = {}
    for blamed, reason, why in _blamed(deployment, shipped, rules, line):
        if _counts(blamed.deployed_at, deployment.deployed_at, rules):
            finding = Finding(blamed.id, reason, why, deployment.deployed_at, deployment.id)
            found.setdefault((blamed.id, reason), finding)
    return list(found.values())


def _blamed(
    deployment: Deployed, shipped: Shipped, rules: Rules, line: Line
) -> Iterator[tuple[Deployed, Reason, str]]:
    if rules.rollbacks:
        for blamed, why in _rolled_back(deployment, rules.rollback_blame, line):
            yield blamed, Reason.ROLLBACK, why
    if rules.reverts:
        for taken in shipped.taken_back:
            by = taken.shipped_by
            if by.position < deployment.position and by.kind != BASELINE:
                why = f"{deployment.version} ships “{taken.words}”: what that takes back was first shipped here."
                yield by, Reason.REVERT, why
    previous = line.previous(deployment)
    if rules.hotfixes and shipped.hotfix and previous and (blamed_one := line.original(previous)):
        yield blamed_one, Reason.HOTFIX, f"{deployment.version} ships a hotfix: {shipped.hotfix}."
    if deployment.fixes_version and (fixed := line.latest_fixed(deployment)):
        original = line.original(fixed)
        if original is not None:
            yield original, Reason.FIXES_VERSION, f"{deployment.version} says that it fixes {fixed.version}."


def _rolled_back(deployment: Deployed, blame: str, line: Line) -> Iterator[tuple[Deployed, str]]:
    previous = line.previous(deployment)
    if previous is None or deployment.kind not in (ROLLBACK, DIVERGED, UNKNOWN):
        return
    target = returned_to(deployment, line)
    if target and deployment.kind != ROLLBACK and line.is_repaired(target, deployment):
        return  # what was rolled back comes again: forward, as far as anybody can tell
    if target is not None:
        why = f"{previous.version} returned to {target.version}."
    elif deployment.kind == ROLLBACK:
        why = f"{previous.version} returned to {deployment.version}, which it contains."
    else:
        return
    if blame == "last":
        suspects: Iterable[Deployed] = _last(previous, target, line)
    else:
        suspects = line.between(target, deployment) if target else line.containing(deployment)
    unrepaired = (suspect for suspect in suspects if not line.is_repaired(suspect, deployment))
    # Those in between need not all be read to find the first.
    for blamed in unrepaired if blame == "all" else itertools.islice(unrepaired, 1):
        yield blamed, why


def _last(previous: Deployed, target: Deployed | None, line: Line) -> list[Deployed]:
    last = line.original(previous)
    if last is None or (target and (last.position <= target.position or last.commit == target.commit)):
        return []
    return [last]


def returned_to(deployment: Deployed, line: Line) -> Deployed | None:
    """Return the latest earlier deployment that this one returns to: of its commit, or of its version.

    By the version only where history does not tell, and where a version says what was deployed: it has a digit, and
    only one commit ever had it.
    """
    previous = line.previous(deployment)
    if previous is None or deployment.kind not in (ROLLBACK, DIVERGED, UNKNOWN):
        return None
    of_commit = line.latest_of_commit(deployment)
    of_version = None
    if deployment.kind != ROLLBACK and previous.version != deployment.version and _has_digit(deployment.version):
        of_version = line.latest_of_version(deployment)
    found = [one for one in (of_commit, of_version) if one is not None]
    return max(found, key=lambda one: one.position, default=None)


def _has_digit(version: str) -> bool:
    return any(character.isdigit() for character in version)


def failed_status(
    deployment: int,
    deployed_at: datetime.datetime,
    state: str,
    redone: Deployed | None,
    rules: Rules,
) -> Finding | None:
    """Return the finding on a deployment that ended as failure or error; `redone` is the next to reach."""
    repaired_at = redone.deployed_at if redone else None
    if not rules.failed_statuses or not _counts(deployed_at, repaired_at, rules):
        return None
    repair = redone.id if redone else None
    return Finding(deployment, Reason.FAILED_STATUS, f"It ended as {state}.", repaired_at, repair)


def incident_finding(
    incident: int,
    title: str,
    resolved_at: datetime.datetime | None,
    cause: Deployed,
    rules: Rules,
    *,
    is_pinned: bool,
) -> Finding | None:
    """Return the finding on the deployment that caused an incident."""
    if not rules.incidents or not _counts(cause.deployed_at, resolved_at, rules):
        return None
    words = quoted(title)
    why = f"Somebody said that it caused {words}." if is_pinned else f"{words} began after it."
    return Finding(cause.id, Reason.INCIDENT, why, resolved_at, incident=incident)


def _counts(failed_at: datetime.datetime, repaired_at: datetime.datetime | None, rules: Rules) -> bool:
    shortest = datetime.timedelta(minutes=rules.minimum_minutes)
    return repaired_at is None or repaired_at - failed_at >= shortest or not rules.minimum_minutes


def hotfix_in_pull_request(title: str, head_ref: str, labels: Iterable[str], rules: Rules) -> str:
    """Say by what a pull request is a hotfix; empty where it is none."""
    if matching(rules.hotfix_branches, head_ref) is not None:
        return f"branch {quoted(head_ref)}"
    for label in labels:
        if matching(rules.hotfix_labels, label) is not None:
            return f"label {quoted(label)} of {quoted(title)}"
    return hotfix_in_title(title, rules)


def hotfix_in_title(title: str, rules: Rules) -> str:
    """Say by what a change with this title or subject is a hotfix; empty where it is none."""
    return quoted(title) if matching(rules.hotfix_titles, title) is not None else ""


def quoted(text: str) -> str:
    """Return a text in quotation marks, cut where it is long."""
    return f"“{text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + '…'}”"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a deployment had to be repaired, since when it is, and by which deployment."""

    has_failed: bool
    repaired_at: datetime.datetime | None = None
    repaired_by: int | None = None


def verdict(findings: Iterable[Finding], overruled: bool | None, following: Deployed | None) -> Verdict:
    """Return what follows for one deployment from its findings and from what a person says against them.

    The earliest repairing deployment counts; without any, the end of the last incident. Of one that only a person
    calls failed, `following` is the repair: the next that reached the environment.
    """
    found = list(findings)
    if overruled is False or (not found and not overruled):
        return Verdict(False)
    if not found:
        return Verdict(True, following.deployed_at, following.id) if following else Verdict(True)
    repairs = [(one.repaired_at, one.repair) for one in found if one.repaired_at and one.repair]
    if repairs:
        return Verdict(True, *min(repairs))
    ends = [one.repaired_at for one in found if one.incident]
    resolved = [end for end in ends if end is not None]
    if resolved and len(resolved) == len(ends):
        return Verdict(True, max(resolved))
    return Verdict(True)
