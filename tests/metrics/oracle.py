"""What a selection comes to, counted row by row in the plainest way: what rollups are held against."""

import datetime as dt
from typing import Any

from deployments.models import Application, Change, Deployment, Team
from deployments.names import name_key
from metrics.periods import days_between, start_of_day
from metrics.selections import Selection

STAGE_COLUMNS = (
    "coding_seconds", "draft_seconds", "waiting_for_review_seconds", "review_seconds",
    "waiting_for_deployment_seconds",
)  # fmt: skip


def facts_by_hand(selection: Selection, first: dt.date, last: dt.date) -> list[dict[str, Any]]:
    """Return for each day what DayFacts should tell."""
    rows = [row for row in Deployment.objects.all() if _is_of(selection, row)]
    return [_day(selection, day, rows) for day in days_between(first, last)]


def _is_of(selection: Selection, row: Deployment) -> bool:
    if row.environment_id not in {environment.pk for environment in selection.environments}:
        return False
    application = Application.objects.get(pk=row.application_id)
    if selection.applications and application not in selection.applications:
        return False
    if selection.repositories and application.repository not in selection.repositories:
        return False
    return not selection.teams or any(_is_of_team(team, application, row) for team in selection.teams)


def _is_of_team(team: Team, application: Application, row: Deployment) -> bool:
    if application.teams.exists():
        return team in application.teams.all()
    return name_key(row.author) in {person.name_key for person in team.people.all()}


def _day(selection: Selection, day: dt.date, rows: list[Deployment]) -> dict[str, Any]:
    zone = selection.workspace.zone
    start, end = start_of_day(day, zone), start_of_day(day + dt.timedelta(days=1), zone)
    today = [row for row in rows if start <= row.deployed_at < end and row.archived_at is None]
    authors = {name_key(name) for name in selection.authors}
    mine = [row for row in today if not authors or name_key(row.author) in authors]
    reached = [row for row in mine if row.reached_environment]
    attempts = [row for row in mine if not row.reached_environment and row.has_failed]
    failures = [row for row in reached if row.has_failed] + attempts
    shipped = [row for row in today if row.reached_environment]
    expected = [row for row in reached if row.change_kind not in ("baseline", "redeploy", "rollback")]
    return {
        "day": day,
        "deployments": len(reached),
        "redeploys": sum(
            row.change_kind == "redeploy" and not row.has_failed and not row.is_rework for row in reached
        ),
        "failed": sum(row.has_failed for row in reached),
        "failed_attempts": len(attempts),
        "rework": sum(row.is_rework for row in reached),
        "baselines": sum(row.change_kind == "baseline" for row in reached),
        "expected": len(expected),
        "without_known_commits": sum(not row.history_is_complete and not row.changes_count for row in expected),
        "recoveries": sorted(
            int((row.repaired_at - row.deployed_at).total_seconds()) for row in failures if row.repaired_at
        ),
        "open_since": sorted(int(row.deployed_at.timestamp()) for row in failures if row.repaired_at is None),
        **_changes(selection, list(Change.objects.filter(deployment__in=shipped)), authors),
    }


def _changes(selection: Selection, changes: list[Change], authors: set[str]) -> dict[str, Any]:
    changes = [change for change in changes if not authors or _author(change) in authors]
    of_bots = [change for change in changes if _is_bots(selection, change)]
    if selection.bots == "only":
        changes = of_bots
    elif selection.bots == "apart":
        changes = [change for change in changes if change not in of_bots]
    leads = sorted(change.lead_time_seconds for change in changes if change.lead_time_seconds is not None)
    staged = [
        change
        for change in changes
        if change.pull_request is not None
        and change.lead_time_seconds is not None
        and all(getattr(change, name) is not None for name in STAGE_COLUMNS)
    ]
    return {
        "changes_without_start": sum(change.lead_time_seconds is None for change in changes),
        "clocks_ahead": sum(change.clock_was_ahead for change in changes),
        "bot_changes": len(of_bots) if selection.bots == "apart" else 0,
        "leads": leads,
        "lead_sum": sum(leads),
        "staged": len(staged),
        "staged_lead_sum": sum(change.lead_time_seconds or 0 for change in staged),
        **{name.removesuffix("_seconds"): sum(getattr(change, name) for change in staged) for name in STAGE_COLUMNS},
    }


def _author(change: Change) -> str:
    of_pull_request = change.pull_request.author if change.pull_request else ""
    return name_key(of_pull_request or change.commit.author)


def _is_bots(selection: Selection, change: Change) -> bool:
    name = _author(change)
    if change.pull_request is not None and change.pull_request.author_is_bot:
        return True
    return name.endswith("[bot]") or name in {name_key(bot) for bot in selection.workspace.bot_names}
