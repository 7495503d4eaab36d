"""Why there is no number: no data is not zero, and there are several reasons for it."""

from collections.abc import Sequence

from metrics import rows
from metrics.facts import DayFacts
from metrics.models import Metric
from metrics.selections import Selection


def reasons_for_no_data(selection: Selection, days: Sequence[DayFacts], deployments: int) -> dict[str, str]:
    """Return for each metric why it has no value; an empty text where it has one. Causes a query at most."""
    nothing = "" if deployments else _why_nothing_deployed(selection)
    failed = any(day.sums.failed or day.sums.failed_attempts for day in days)
    attempted = deployments or failed
    return {
        Metric.DEPLOYMENT_FREQUENCY: nothing,
        Metric.CHANGE_LEAD_TIME: _why_no_lead_time(days),
        Metric.RECOVERY_TIME: _why_no_recovery(days, failed=failed, deployments=deployments),
        Metric.CHANGE_FAIL_RATE: "" if attempted else "Nothing was deployed, so nothing can have failed.",
        Metric.REWORK_RATE: "" if deployments else "Nothing was deployed, so nothing was unplanned.",
    }


def _why_nothing_deployed(selection: Selection) -> str:
    """Tell an environment that never had a deployment from one that has gone silent."""
    if not selection.environments:
        return "No environment is production. Choose one, or mark one as production."
    before = rows.deployments(selection).filter(deployed_at__lt=selection.period.end)
    latest = before.newest_first().values_list("deployed_at", flat=True).first()
    if latest is None:
        return "Nothing has been deployed here yet."
    day = selection.period.day_of(latest)
    silent = (selection.period.last - day).days
    return f"Nothing was deployed. The last deployment was reported on {day:%-d %B %Y}, {silent} days before the end."


def _why_no_lead_time(days: Sequence[DayFacts]) -> str:
    if any(len(day.leads) for day in days):
        return ""
    deployments = sum(day.sums.deployments for day in days)
    if not deployments:
        return "Nothing was deployed, so there is no change to measure."
    if sum(day.sums.baselines for day in days) == deployments:
        return "Only first deployments: they say what was there, so nothing on them has a lead time."
    if any(day.sums.changes_without_start for day in days):
        return "The changes that were shipped have no known date."
    if any(day.sums.bot_changes for day in days):
        return "Only changes by bots were shipped, and they are set apart."
    if any(day.sums.without_known_commits for day in days):
        return "The commits of these deployments are not known. Send them with the report script, or import a clone."
    return "What was deployed brought no new change: only redeploys and rollbacks."


def _why_no_recovery(days: Sequence[DayFacts], *, failed: bool, deployments: int) -> str:
    if any(len(day.recoveries) for day in days):
        return ""
    if failed:
        return "No failure of this period is repaired yet."
    return (
        "No deployment of this period failed." if deployments else "Nothing was deployed, so nothing can have failed."
    )
