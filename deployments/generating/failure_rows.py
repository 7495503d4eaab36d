"""Writes out incidents, and what was found of failures."""

import numpy as np

from deployments.failures import quoted
from deployments.generating import texts
from deployments.generating.histories import PlannedRepository, PlannedTrack
from deployments.generating.landings import Style
from deployments.generating.loading import Loader
from deployments.generating.outcomes import Indices
from deployments.generating.repairs import REASONS
from deployments.models import FailureFinding, Incident

_TITLES = (
    "Customers see errors",
    "Requests take too long",
    "Data is out of date",
    "Nobody can log in",
    "Queue grows",
)


def write_failures(loader: Loader, planned: PlannedRepository, track: PlannedTrack) -> None:
    """Write the incidents and findings of a track."""
    incidents = np.arange(loader.reserve(Incident, len(track.incidents.started_at)), loader.next_id[Incident])
    _write_incidents(loader, planned, track, incidents)
    findings = track.verdicts.findings
    of_incident = findings["reason"] == REASONS.index("incident")
    repair = findings["repair"].astype(np.int64)
    loader.add(
        FailureFinding, len(findings), deployment_id=track.deployments.ids(findings["entry"].astype(np.int64)),
        reason=[REASONS[number] for number in findings["reason"].tolist()],
        repair_id=texts.or_none(track.deployments.ids(repair), repair >= 0),
        incident_id=texts.or_none(
            np.append(incidents, 0)[np.where(of_incident, findings["through"], -1)], of_incident
        ),
        why=_whys(planned, track), repaired_at=texts.times(findings["repaired_at"]),
    )  # fmt: skip


def _write_incidents(loader: Loader, planned: PlannedRepository, track: PlannedTrack, ids: Indices) -> None:
    causes = track.verdicts.causes
    started = texts.times(track.incidents.started_at)
    resolved = track.incidents.resolved_at
    repository = planned.household.repository
    loader.add(
        Incident, len(ids), id=ids, workspace_id=repository.workspace_id, repository_id=repository.pk,
        application_id=track.member.application.pk, environment_id=track.track.environment_id,
        title=[_TITLES[number % len(_TITLES)] for number in range(len(ids))], started_at=started,
        resolved_at=texts.times(resolved), source=Incident.Source.API.value, facts_at=started, created_at=started,
        cause_id=texts.or_none(track.deployments.ids(causes), causes >= 0),
    )  # fmt: skip


def _whys(planned: PlannedRepository, track: PlannedTrack) -> list[str]:
    """Say of each finding why, in the words of deployments.failures."""
    findings = track.verdicts.findings
    position = track.history.position
    repair, before = findings["repair"], track.history.previous[findings["repair"]]
    repairing, replaced = (texts.versions(planned, position[which].astype(np.int64)) for which in (repair, before))
    fixed = texts.versions(planned, np.maximum(track.history.fixes[repair], 0).astype(np.int64))
    titles = texts.Titles(planned.landings)
    whys = []
    for place, (reason, through) in enumerate(
        zip(findings["reason"].tolist(), findings["through"].tolist(), strict=True)
    ):
        version = repairing[place]
        match REASONS[reason]:
            case "rollback":
                whys.append(f"{replaced[place]} returned to {version}.")
            case "revert":
                words = _revert(planned, titles, through)
                whys.append(f"{version} ships “{words}”: what that takes back was first shipped here.")
            case "hotfix":
                whys.append(f"{version} ships a hotfix: {_hotfix(planned, titles, through)}.")
            case "fixes_version":
                whys.append(f"{version} says that it fixes {fixed[place]}.")
            case "failed_status":
                whys.append("It ended as failure.")
            case _:
                whys.append(f"{quoted(_TITLES[through % len(_TITLES)])} began after it.")
    return whys


def _revert(planned: PlannedRepository, titles: texts.Titles, position: int) -> str:
    """Return the title of the pull request where its number leads to what it reverts, else the commit's subject."""
    target = planned.landings["target"][position]
    if Style.SINGLE not in planned.landings["style"][[position, target]]:
        return titles.of([position])[0]
    return texts.subjects(planned.landings, slice(position, position + 1), titles.of([position]))[0]


def _hotfix(planned: PlannedRepository, titles: texts.Titles, position: int) -> str:
    if planned.landings["style"][position] == Style.SINGLE:
        return quoted(titles.of([position])[0])
    return f"branch {quoted(f'hotfix/{position}')}"
