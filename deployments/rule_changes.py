"""Notes changes of settings that change numbers, so that charts can say from when on they differ."""

from typing import Any

from django.db.models import Model

from deployments.models import Application, Environment, FreezePeriod, RuleChange, User, Workspace

_MOST_CHARACTERS = 500
# By model: the fields that change numbers, and what each is called.
_RULES: dict[type[Model], dict[str, str]] = {
    Workspace: {
        "time_zone": "time zone",
        "count_redeploys": "redeploys count",
        "include_merge_commits": "merge commits count",
        "leave_out_bots": "bots are left out",
        "bot_names": "bots",
        "working_days": "working days",
    },
    Application: {"monorepo_path": "monorepo path", "incident_window_hours": "hours until an incident"},
    Environment: {"is_production": "is production"},
}
_WEEKDAYS = ["", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def note(workspace: Workspace, summary: str, person: Any) -> RuleChange:
    """Note that a person changed a rule, in words. The caller holds the transaction that changes it."""
    if len(summary) > _MOST_CHARACTERS:
        summary = f"{summary[: _MOST_CHARACTERS - 1]}…"
    made_by = person if isinstance(person, User) else None
    return RuleChange.objects.create(workspace=workspace, summary=summary, made_by=made_by)


def note_differences(before: Model, after: Model, person: Any) -> None:
    """Note what changes numbers among the differences between two states of a row that `_RULES` names."""
    said = [
        f"{label}: {_in_words(name, getattr(before, name))} → {_in_words(name, getattr(after, name))}"
        for name, label in _RULES[type(after)].items()
        if getattr(before, name) != getattr(after, name)
    ]
    if not said:
        return
    if isinstance(after, Workspace):
        summary = "; ".join(said)
        note(after, summary[0].upper() + summary[1:], person)
    elif isinstance(after, Application | Environment):
        note(after.workspace, f"{after.name}, {'; '.join(said)}", person)


def note_freeze(freeze: FreezePeriod, what_was_done: str, person: Any) -> None:
    """Note that a freeze period was added, changed or removed."""
    days = f"{freeze.first_day} to {freeze.last_day}"
    if freeze.first_day == freeze.last_day:
        days = f"{freeze.first_day}"
    note(freeze.workspace, f"Freeze period {what_was_done}: {freeze.reason} ({days})", person)


def _in_words(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "working_days":
        return weekdays_in_words(value)
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or "none"
    return "none" if value is None else str(value) or "none"


def weekdays_in_words(weekdays: list[int]) -> str:
    """Return weekdays, 1 for Monday, as `Mon, Tue, Fri`."""
    return "every day" if len(weekdays) == 7 else ", ".join(_WEEKDAYS[number] for number in sorted(weekdays))
