"""Which deployments of a track had to be repaired, and by what: what the workspace's default rules find."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deployments.generating.landings import Landings, Role
from deployments.generating.moments import HOUR, Moments
from deployments.generating.outcomes import REDEPLOY, ROLLBACK, Indices, TrackHistory
from deployments.generating.releases import Incidents

REASONS = ("rollback", "revert", "hotfix", "fixes_version", "failed_status", "incident")
_ROLLBACK, _REVERT, _HOTFIX, _FIXES_VERSION, _FAILED_STATUS, _INCIDENT = range(len(REASONS))
_INCIDENT_WINDOW = 24 * HOUR

# `entry` has failed; `repair` is the entry that repaired it, -1 for none; `through` is the position of the landing
# that says so, or the number of the incident.
FINDING = np.dtype([("entry", "i4"), ("repair", "i4"), ("through", "i4"), ("reason", "i1"), ("repaired_at", "i8")])
Findings = NDArray[np.void]


@dataclass(slots=True)
class Verdicts:
    """What was found of a track. `repaired_at` 0 is never, `repaired_by` and `causes` -1 are none."""

    findings: Findings
    has_failed: NDArray[np.bool_]
    repaired_at: Moments
    repaired_by: NDArray[np.int32]
    is_rework: NDArray[np.bool_]
    refers_back: NDArray[np.bool_]
    causes: Indices  # by number of the incident: the entry that caused it


def judge(
    track: TrackHistory, landings: Landings, counts: NDArray[np.bool_] | None, incidents: Incidents
) -> Verdicts:
    """Find the failures of a track. `counts` tells by position what is a change there."""
    blamed_for = _blamed_for(track)
    causes = _causes(track, incidents)
    telling = np.concatenate([_shipping(track, landings, counts, role) for role in (Role.REVERT, Role.HOTFIX)])
    findings = np.concatenate([
        _rollbacks(track),
        _reverts(track, landings, counts),
        _hotfixes(track, landings, counts, blamed_for),
        _fixed_versions(track, blamed_for),
        _failed_attempts(track),
        _of_incidents(causes, incidents),
    ])  # fmt: skip
    number = len(track.at)
    refers_back = (track.kind == ROLLBACK) | ((track.fixes >= 0) & track.reached)
    refers_back[telling[telling >= 0]] = True
    has_failed = np.zeros(number, bool)
    has_failed[findings["entry"]] = True
    is_rework = np.zeros(number, bool)
    is_rework[findings["repair"][(findings["repair"] >= 0) & (findings["reason"] != _FAILED_STATUS)]] = True
    repaired_at, repaired_by = _repairs(track, findings)
    return Verdicts(findings, has_failed, repaired_at, repaired_by, is_rework, refers_back, causes)


def _findings(reason: int, entry: Indices, repair: Indices, through: Indices, at: Moments) -> Findings:
    found = np.zeros(len(entry), FINDING)
    found["reason"], found["entry"], found["repair"] = reason, entry, repair
    found["through"], found["repaired_at"] = through, at
    return found


def _blamed_for(track: TrackHistory) -> Indices:
    """Return for each entry which deployment had put there what ran before it: redeploys are not to blame."""
    order = np.arange(len(track.at))
    at_fault = np.maximum.accumulate(np.where(track.reached & (track.kind != REDEPLOY), order, -1))
    return np.where(track.previous >= 0, at_fault[track.previous], -1)


def _rollbacks(track: TrackHistory) -> Findings:
    """A rollback here returns to what ran before the latest landing, so that one is to blame."""
    back = np.flatnonzero(track.kind == ROLLBACK)
    blamed = _blamed_for(track)[back]
    return _findings(_ROLLBACK, blamed, back, track.position[back], track.at[back])


def _shipping(track: TrackHistory, landings: Landings, counts: NDArray[np.bool_] | None, role: Role) -> Indices:
    """Return for each landing of a role that counts here the entry that shipped it, -1 where none did."""
    if counts is None:
        return np.empty(0, np.int64)
    return track.brought_by(np.flatnonzero((landings["role"] == role) & counts))


def _hotfixes(
    track: TrackHistory, landings: Landings, counts: NDArray[np.bool_] | None, blamed_for: Indices
) -> Findings:
    shipping = _shipping(track, landings, counts, Role.HOTFIX)
    positions = np.flatnonzero((landings["role"] == Role.HOTFIX) & counts) if counts is not None else shipping
    repair, which = np.unique(shipping, return_index=True)  # the first of several hotfixes
    which, repair = which[repair >= 0], repair[repair >= 0]
    return _findings(_HOTFIX, blamed_for[repair], repair, positions[which], track.at[repair])


def _reverts(track: TrackHistory, landings: Landings, counts: NDArray[np.bool_] | None) -> Findings:
    if counts is None:
        return np.zeros(0, FINDING)
    positions = np.flatnonzero((landings["role"] == Role.REVERT) & counts)
    repair = track.brought_by(positions)
    shipped = track.brought_by(landings["target"][positions].astype(np.int64))
    found = (repair >= 0) & (shipped >= 0) & (shipped < repair)
    entry, repair, positions = shipped[found], repair[found], positions[found]
    _, which = np.unique(np.stack([entry, repair]), axis=1, return_index=True)
    entry, repair, positions = entry[which], repair[which], positions[which]
    return _findings(_REVERT, entry, repair, positions, track.at[repair])


def _fixed_versions(track: TrackHistory, blamed_for: Indices) -> Findings:
    repair = np.flatnonzero((track.fixes >= 0) & track.reached)
    return _findings(_FIXES_VERSION, blamed_for[repair], repair, track.fixes[repair], track.at[repair])


def _failed_attempts(track: TrackHistory) -> Findings:
    failed = np.flatnonzero(~track.reached)
    reached = np.flatnonzero(track.reached)
    place = np.searchsorted(reached, failed)
    repair = np.append(reached, -1)[place]
    at = np.where(repair >= 0, track.at[repair], 0)
    return _findings(_FAILED_STATUS, failed, repair, np.full(len(failed), -1), at)


def _causes(track: TrackHistory, incidents: Incidents) -> Indices:
    """Return the deployment before each incident, where it is recent enough."""
    at_fault = np.flatnonzero(track.reached & (track.kind != REDEPLOY))
    place = np.searchsorted(track.at[at_fault], incidents.started_at, side="right") - 1
    cause = np.where(place >= 0, np.append(at_fault, -1)[place], -1)
    return np.where((cause >= 0) & (incidents.started_at - track.at[cause] <= _INCIDENT_WINDOW), cause, -1)


def _of_incidents(causes: Indices, incidents: Incidents) -> Findings:
    known = np.flatnonzero(causes >= 0)
    return _findings(_INCIDENT, causes[known], np.full(len(known), -1), known, incidents.resolved_at[known])


def _repairs(track: TrackHistory, findings: Findings) -> tuple[Moments, NDArray[np.int32]]:
    """Return when each failure was repaired and by what: the earliest repair, else the end of all its incidents."""
    number = len(track.at)
    by = np.full(number, number, np.int32)
    repairing = findings[findings["repair"] >= 0]
    np.minimum.at(by, repairing["entry"], repairing["repair"])
    at = np.zeros(number, np.int64)
    of_incidents = findings[findings["reason"] == _INCIDENT]
    np.maximum.at(at, of_incidents["entry"], of_incidents["repaired_at"])
    at[of_incidents["entry"][of_incidents["repaired_at"] == 0]] = 0
    repaired = by < number
    at[repaired] = track.at[by[repaired]]
    return at, np.where(repaired, by, -1).astype(np.int32)
