"""Explains a number down to its rows: which went in, which were left out and why, and the arithmetic between them."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import QuerySet

from deployments.models import Change, ChangeKind, Deployment
from metrics import rows
from metrics.arithmetic import DEFINITIONS, sentences
from metrics.counted_rows import CountedRows, Of
from metrics.facts import DayFacts
from metrics.models import Metric
from metrics.packing import DaySums
from metrics.reports import DoraReport, counted
from metrics.selections import Bots, Selection

# They bring nothing new by their nature: there is nothing to measure on them.
_WITHOUT_CHANGES = [ChangeKind.BASELINE, ChangeKind.REDEPLOY, ChangeKind.ROLLBACK]
# More rows are not put into another order than that of the days while somebody waits.
_MOST_SORTED = 10_000
Deployments = QuerySet[Deployment]
Number = Callable[[DayFacts], int]


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of one kind: `deployments`, `failures` (deployments with their recovery) or `changes`."""

    key: str
    title: str
    kind: str
    rows: CountedRows
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
    found = _SECTIONS[metric](report)
    return Explanation(metric, DEFINITIONS[metric], sentences(report, metric), found)


def _rows(report: DoraReport, of: Of, number: Number | None = None, *, sorts: bool = False) -> CountedRows:
    """Return the rows of a section; `number` says how many a day has. Those that it `sorts` are always read whole."""
    per_day = None if number is None else {day.day: number(day) for day in report.days}
    return CountedRows(of, report.selection, per_day, walk=_has_many(report) and not sorts)


def _has_many(report: DoraReport) -> bool:
    return report.now.frequency.deployments + report.now.lead_time.count > _MOST_SORTED


def _during(selection: Selection, found: Deployments) -> Deployments:
    period = selection.period
    within = found.filter(deployed_at__gte=period.start, deployed_at__lt=period.end)
    return within.select_related("application", "environment").order_by("-deployed_at", "-id")


def _deployments(selection: Selection) -> Deployments:
    return _during(selection, rows.deployments(selection))


def _attempts(selection: Selection) -> Deployments:
    return _during(selection, rows.failed_attempts(selection))


def _counted(selection: Selection) -> Deployments:
    found = _deployments(selection)
    return found if selection.workspace.count_redeploys else found.exclude(rows.kind_is_redeploy())


def _number(report: DoraReport, left_out: Callable[[DaySums], int] = lambda _: 0) -> Number:
    """Return how many of the deployments that count a day has, but for some of them."""
    return lambda day: counted(report.selection, day.sums) - left_out(day.sums)


def _failed(selection: Selection) -> Deployments:
    found = _during(selection, rows.failures(selection))
    return found.select_related("application", "environment", "repaired_by").prefetch_related("findings")


def _not_counted(report: DoraReport) -> list[Section]:
    """Return the deployments that no metric counts."""

    def unfinished(selection: Selection) -> Deployments:
        found = _during(selection, rows.everything(selection))
        return found.filter(archived_at=None, reached_environment=False, has_failed=False)

    def archived(selection: Selection) -> Deployments:
        return _during(selection, rows.everything(selection)).exclude(archived_at=None)

    unfinished_why = "They have not reached the environment, and no rule counts them as failures."
    archived_why = "Somebody took them out of the metrics."
    return [
        *([] if report.selection.workspace.count_redeploys else [_redeploys(report)]),
        Section("unfinished", "Not finished, or failed", "deployments", _rows(report, unfinished), unfinished_why),
        Section("archived", "Archived", "deployments", _rows(report, archived), archived_why),
    ]


def _redeploys(report: DoraReport) -> Section:
    def found(selection: Selection) -> Deployments:
        return _deployments(selection).filter(rows.kind_is_redeploy())

    why = "They deployed the commit that ran already. They are in the history, not in the metrics: so it is set."
    listed = _rows(report, found, lambda day: day.sums.redeploys)
    return Section("redeploys", "Redeploys", "deployments", listed, why)


def _frequency_sections(report: DoraReport) -> list[Section]:
    attempts = _rows(report, _attempts, lambda day: day.sums.failed_attempts)
    why = "They ended as failure or error: nothing was deployed. The change fail rate counts them."
    listed = _rows(report, _counted, _number(report))
    return [
        Section("counted", "Deployments", "deployments", listed, goes_in=True),
        Section("attempts", "Failed before they reached the environment", "deployments", attempts, why),
        *_not_counted(report),
    ]


def _lead_time_sections(report: DoraReport) -> list[Section]:
    many = _has_many(report)
    order = ["-deployment__deployed_at", "-id"] if many else ["lead_time_seconds", "id"]
    bots = report.selection.bots

    def everybodys(selection: Selection) -> "QuerySet[Change]":
        return rows.changes(selection).select_related(
            "pull_request", "commit", "deployment__application", "deployment__environment"
        )

    def by_bots(selection: Selection) -> "QuerySet[Change]":
        return everybodys(selection).filter(rows.is_by_a_bot(selection)).order_by(*order)

    def chosen(selection: Selection) -> "QuerySet[Change]":
        found = everybodys(selection)
        if bots == Bots.INCLUDE:
            return found
        is_bot = rows.is_by_a_bot(selection)
        return found.filter(is_bot) if bots == Bots.ONLY else found.exclude(is_bot)

    def measured(selection: Selection) -> "QuerySet[Change]":
        return chosen(selection).exclude(lead_time_seconds=None).order_by(*order)

    def undated(selection: Selection) -> "QuerySet[Change]":
        return chosen(selection).filter(lead_time_seconds=None).order_by("-deployment__deployed_at", "-id")

    why = "The latest first." if many else "The shortest first."
    apart = Section(
        "bots", "Changes by bots", "changes", _rows(report, by_bots, lambda day: day.sums.bot_changes),
        "Bots wrote them, and bots are set apart. Choose otherwise above.",
    )  # fmt: skip
    listed = _rows(report, measured, lambda day: len(day.leads))
    without_start = _rows(report, undated, lambda day: day.sums.changes_without_start)
    return [
        Section("counted", "Changes", "changes", listed, why, goes_in=True),
        *([apart] if bots == Bots.APART else []),
        Section("undated", "Changes without a known date", "changes", without_start, "Nobody told when they began."),
        *_without_changes(report),
    ]


def _without_changes(report: DoraReport) -> list[Section]:
    def unknown(selection: Selection) -> Deployments:
        found = _deployments(selection).exclude(change_kind__in=_WITHOUT_CHANGES)
        return found.filter(history_is_complete=False, changes_count=0)

    def baselines(selection: Selection) -> Deployments:
        return _deployments(selection).filter(change_kind=ChangeKind.BASELINE)

    def nothing_new(selection: Selection) -> Deployments:
        return _deployments(selection).filter(change_kind__in=[ChangeKind.ROLLBACK, ChangeKind.REDEPLOY])

    unknown_why = "Nobody told which commits they brought. The report script sends them."
    baseline_why = "They say what was there: nothing on them has a lead time."
    return [
        Section(
            "unknown", "Deployments without known commits", "deployments",
            _rows(report, unknown, lambda day: day.sums.without_known_commits), unknown_why,
        ),
        Section(
            "baselines", "First deployments", "deployments",
            _rows(report, baselines, lambda day: day.sums.baselines), baseline_why,
        ),
        Section(
            "nothing-new", "Rollbacks and redeploys", "deployments",
            _rows(report, nothing_new, lambda day: day.sums.deployments - day.sums.baselines - day.sums.expected),
            "They brought nothing new.",
        ),
    ]  # fmt: skip


def _recovery_sections(report: DoraReport) -> list[Section]:
    def repaired(selection: Selection) -> Deployments:
        found = _failed(selection).exclude(repaired_at=None)
        return found.annotate(recovery=rows.time_of_recovery()).order_by("recovery", "id")

    def still_open(selection: Selection) -> Deployments:
        return _failed(selection).filter(repaired_at=None)

    still_why = "Nothing has repaired them yet. How long they will last is not known, so they are not in the median."
    ended = _rows(report, repaired, lambda day: len(day.recoveries), sorts=True)
    running = _rows(report, still_open, lambda day: len(day.open_since))
    return [
        Section("counted", "Failures that are repaired", "failures", ended, "The shortest first.", goes_in=True),
        Section("open", "Still running", "failures", running, still_why),
    ]


def _fail_rate_sections(report: DoraReport) -> list[Section]:
    def others(selection: Selection) -> Deployments:
        return _counted(selection).filter(has_failed=False)

    failed = _rows(report, _failed, lambda day: day.sums.failed + day.sums.failed_attempts)
    succeeded = _rows(report, others, _number(report, lambda sums: sums.failed))
    others_why = "They are what the failed ones are a share of."
    return [
        Section("counted", "Deployments that failed", "failures", failed, goes_in=True),
        Section("others", "Deployments that did not", "deployments", succeeded, others_why, goes_in=True),
        *_not_counted(report),
    ]


def _rework_sections(report: DoraReport) -> list[Section]:
    def unplanned(selection: Selection) -> Deployments:
        return _counted(selection).filter(is_rework=True)

    def planned(selection: Selection) -> Deployments:
        return _counted(selection).filter(is_rework=False)

    rework = _rows(report, unplanned, lambda day: day.sums.rework)
    others = _rows(report, planned, _number(report, lambda sums: sums.rework))
    others_why = "They are what the unplanned ones are a share of."
    return [
        Section("counted", "Unplanned deployments", "deployments", rework, "Each repaired a failed one.", True),
        Section("others", "The others", "deployments", others, others_why, True),
        *_not_counted(report),
    ]


_SECTIONS: dict[Metric, Callable[[DoraReport], list[Section]]] = {
    Metric.DEPLOYMENT_FREQUENCY: _frequency_sections,
    Metric.CHANGE_LEAD_TIME: _lead_time_sections,
    Metric.RECOVERY_TIME: _recovery_sections,
    Metric.CHANGE_FAIL_RATE: _fail_rate_sections,
    Metric.REWORK_RATE: _rework_sections,
}
