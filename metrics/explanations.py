"""Explains a number down to its rows: which went in, which were left out and why, and the arithmetic between them."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from deployments.models import Change, ChangeKind, Deployment
from metrics import rows
from metrics.arithmetic import DEFINITIONS, sentences
from metrics.models import Metric
from metrics.reports import DoraReport
from metrics.selections import Bots, Selection

# They bring nothing new by their nature: there is nothing to measure on them.
_WITHOUT_CHANGES = [ChangeKind.BASELINE, ChangeKind.REDEPLOY, ChangeKind.ROLLBACK]
Deployments = QuerySet[Deployment]


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of one kind: `deployments`, `failures` (deployments with their recovery) or `changes`."""

    key: str
    title: str
    kind: str
    rows: "QuerySet[Deployment] | QuerySet[Change]"
    why: str = ""
    goes_in: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a metric came about: sentences of arithmetic, and the sections of rows that went in or were left out."""

    metric: Metric
    definition: str
    arithmetic: list[str]
    sections: list[Section]


def explain(report: DoraReport, metric: Metric) -> Explanation:
    """Return what a figure of the report rests on. The rows are not fetched yet."""
    found = _SECTIONS[metric](report.selection)
    return Explanation(metric, DEFINITIONS[metric], sentences(report, metric), found)


def _during(selection: Selection, found: Deployments) -> Deployments:
    period = selection.period
    within = found.filter(deployed_at__gte=period.start, deployed_at__lt=period.end)
    return within.select_related("application", "environment").order_by("-deployed_at", "-id")


def _deployments(selection: Selection) -> Deployments:
    return _during(selection, rows.deployments(selection))


def _counted(selection: Selection) -> Deployments:
    found = _deployments(selection)
    return found if selection.workspace.count_redeploys else found.exclude(rows.kind_is_redeploy())


def _failed(selection: Selection) -> Deployments:
    reached, attempts = rows.deployments(selection), rows.failed_attempts(selection)
    either = Q(pk__in=reached.values("pk")) | Q(pk__in=attempts.values("pk"))
    found = _during(selection, Deployment.objects.filter(either, has_failed=True))
    return found.select_related("application", "environment", "repaired_by").prefetch_related("findings")


def _not_counted(selection: Selection) -> list[Section]:
    """Return the deployments that no metric counts."""
    everything = _during(selection, rows.everything(selection))
    unfinished = everything.filter(archived_at=None, reached_environment=False, has_failed=False)
    unfinished_why = "They have not reached the environment, and no rule counts them as failures."
    archived_why = "Somebody took them out of the metrics."
    return [
        *([] if selection.workspace.count_redeploys else [_redeploys(selection)]),
        Section("unfinished", "Not finished, or failed", "deployments", unfinished, unfinished_why),
        Section("archived", "Archived", "deployments", everything.exclude(archived_at=None), archived_why),
    ]


def _redeploys(selection: Selection) -> Section:
    why = "They deployed the commit that ran already. They are in the history, not in the metrics: so it is set."
    found = _deployments(selection).filter(rows.kind_is_redeploy())
    return Section("redeploys", "Redeploys", "deployments", found, why)


def _frequency_sections(selection: Selection) -> list[Section]:
    attempts = _during(selection, rows.failed_attempts(selection))
    why = "They ended as failure or error: nothing was deployed. The change fail rate counts them."
    return [
        Section("counted", "Deployments", "deployments", _counted(selection), goes_in=True),
        Section("attempts", "Failed before they reached the environment", "deployments", attempts, why),
        *_not_counted(selection),
    ]


def _lead_time_sections(selection: Selection) -> list[Section]:
    changes = rows.changes(selection).select_related(
        "pull_request", "commit", "deployment__application", "deployment__environment"
    )
    is_bot = rows.is_by_a_bot(selection)
    by_bots = changes.filter(is_bot)
    if selection.bots != Bots.INCLUDE:
        changes = by_bots if selection.bots == Bots.ONLY else changes.exclude(is_bot)
    measured = changes.exclude(lead_time_seconds=None).order_by("lead_time_seconds", "id")
    undated = changes.filter(lead_time_seconds=None).order_by("id")
    apart_why = "Bots wrote them, and bots are set apart. Choose otherwise above."
    apart = Section("bots", "Changes by bots", "changes", by_bots.order_by("lead_time_seconds", "id"), apart_why)
    return [
        Section("counted", "Changes", "changes", measured, "The shortest first.", goes_in=True),
        *([apart] if selection.bots == Bots.APART else []),
        Section("undated", "Changes without a known date", "changes", undated, "Nobody told when they began."),
        *_without_changes(_deployments(selection)),
    ]


def _without_changes(deployments: Deployments) -> list[Section]:
    unknown = deployments.exclude(change_kind__in=_WITHOUT_CHANGES).filter(history_is_complete=False, changes_count=0)
    unknown_why = "Nobody told which commits they brought. The report script sends them."
    baselines = deployments.filter(change_kind=ChangeKind.BASELINE)
    baseline_why = "They say what was there: nothing on them has a lead time."
    nothing_new = deployments.filter(change_kind__in=[ChangeKind.ROLLBACK, ChangeKind.REDEPLOY])
    return [
        Section("unknown", "Deployments without known commits", "deployments", unknown, unknown_why),
        Section("baselines", "First deployments", "deployments", baselines, baseline_why),
        Section("nothing-new", "Rollbacks and redeploys", "deployments", nothing_new, "They brought nothing new."),
    ]


def _recovery_sections(selection: Selection) -> list[Section]:
    failed = _failed(selection)
    repaired = failed.exclude(repaired_at=None).annotate(recovery=rows.time_of_recovery()).order_by("recovery", "id")
    still_why = "Nothing has repaired them yet. How long they will last is not known, so they are not in the median."
    return [
        Section("counted", "Failures that are repaired", "failures", repaired, "The shortest first.", goes_in=True),
        Section("open", "Still running", "failures", failed.filter(repaired_at=None), still_why),
    ]


def _fail_rate_sections(selection: Selection) -> list[Section]:
    others = _counted(selection).filter(has_failed=False)
    others_why = "They are what the failed ones are a share of."
    return [
        Section("counted", "Deployments that failed", "failures", _failed(selection), goes_in=True),
        Section("others", "Deployments that did not", "deployments", others, others_why, goes_in=True),
        *_not_counted(selection),
    ]


def _rework_sections(selection: Selection) -> list[Section]:
    found = _counted(selection)
    unplanned, planned = found.filter(is_rework=True), found.filter(is_rework=False)
    others_why = "They are what the unplanned ones are a share of."
    return [
        Section("counted", "Unplanned deployments", "deployments", unplanned, "Each repaired a failed one.", True),
        Section("others", "The others", "deployments", planned, others_why, True),
        *_not_counted(selection),
    ]


_SECTIONS: dict[Metric, Callable[[Selection], list[Section]]] = {
    Metric.DEPLOYMENT_FREQUENCY: _frequency_sections,
    Metric.CHANGE_LEAD_TIME: _lead_time_sections,
    Metric.RECOVERY_TIME: _recovery_sections,
    Metric.CHANGE_FAIL_RATE: _fail_rate_sections,
    Metric.REWORK_RATE: _rework_sections,
}
