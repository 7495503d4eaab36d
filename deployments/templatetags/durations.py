"""How times and kinds are written on pages."""

from dataclasses import dataclass

from django import template

from deployments.models import Change, ChangeKind

register = template.Library()

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_KINDS = {
    ChangeKind.BASELINE: "The first deployment known here. It says what was there, so nothing on it has a lead time.",
    ChangeKind.FORWARD: "It contains what ran before, and adds to it.",
    ChangeKind.ROLLBACK: "It goes back to an earlier commit of what ran before. Nothing on it is new.",
    ChangeKind.REDEPLOY: "The commit that ran already was deployed again.",
    ChangeKind.DIVERGED: "It neither contains what ran before nor is contained in it: another line of the history.",
    ChangeKind.UNKNOWN: "Not enough of the history is known to say how it relates to what ran before.",
}
# The stages of a change in their order, by the field that has their length.
_STAGES = {
    "coding": "coding",
    "draft": "draft",
    "waiting_for_review": "waiting for review",
    "review": "review",
    "waiting_for_deployment": "waiting for deployment",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a change: how long it took, and which part of the bar it is, in per cent."""

    name: str
    label: str
    seconds: int
    start: float
    width: float


@register.filter
def stages(change: Change) -> list[Stage]:
    """Return the stages in which a change spent any time; none of a single commit."""
    lengths = {name: getattr(change, f"{name}_seconds") or 0 for name in _STAGES}
    total = sum(lengths.values())
    found, reached = [], 0
    for name, seconds in lengths.items():
        if seconds > 0:
            found.append(
                Stage(name, _STAGES[name], seconds, round(100 * reached / total, 2), round(100 * seconds / total, 2))
            )
        reached += seconds
    return found


@register.filter
def duration(seconds: float | None) -> str:
    """Return a time in the two units that matter: `3 h 12 min`, `2.4 days`."""
    if seconds is None:
        return "–"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < _DAY:
        hours, minutes = divmod(round(seconds / _MINUTE), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days = seconds / _DAY
    return f"{days:.1f} days" if days < 10 else f"{days:.0f} days"


@register.filter
def kind_in_words(kind: str) -> str:
    """Return a sentence that explains a change kind."""
    return _KINDS.get(ChangeKind(kind), "") if kind else "Being worked out."


@register.filter
def frequency(per_day: float | None) -> str:
    """Return a rate in the unit in which it is easy to read."""
    if per_day is None:
        return "–"
    if per_day >= 1:
        return f"{per_day:.1f} a day"
    if per_day * 7 >= 1:
        return f"{per_day * 7:.1f} a week"
    return f"{per_day * 30.44:.1f} a month"


@register.filter
def percent(share: float | None) -> str:
    """Return a share of 0 to 1 as a percentage."""
    return "–" if share is None else f"{share * 100:.0f} %"


@register.simple_tag
def compared(now: float | None, before: float | None) -> str:
    """Return how a value changed, in words."""
    if now is None or before is None:
        return "no comparison"
    if before == 0:
        return "from zero"
    change = (now - before) / before * 100
    if abs(change) < 0.5:
        return "unchanged"
    return f"{abs(change):.0f} % {'more' if change > 0 else 'less'}"
