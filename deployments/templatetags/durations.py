"""How times and kinds are written on pages."""

from collections.abc import Mapping
from dataclasses import dataclass

from django import template

from deployments import units
from deployments.models import Change, ChangeKind, Deployment

register = template.Library()

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
    seconds: float
    start: float
    width: float


@register.filter
def stages(change: Change) -> list[Stage]:
    """Return the stages in which a change spent any time; none of a single commit."""
    return stage_bar({name: getattr(change, f"{name}_seconds") or 0 for name in _STAGES})


def stage_bar(lengths: Mapping[str, float]) -> list[Stage]:
    """Return the stages that took any time, by their lengths in seconds, as parts of one bar."""
    total = sum(lengths.values())
    found, reached = [], 0.0
    for name, seconds in lengths.items():
        if seconds > 0:
            found.append(
                Stage(name, _STAGES[name], seconds, round(100 * reached / total, 2), round(100 * seconds / total, 2))
            )
        reached += seconds
    return found


@register.filter
def recovery(deployment: Deployment) -> float | None:
    """Return how long a failed deployment stayed failed, in seconds; None while it is."""
    if deployment.repaired_at is None:
        return None
    return (deployment.repaired_at - deployment.deployed_at).total_seconds()


@register.filter
def kind_in_words(kind: str) -> str:
    """Return a sentence that explains a change kind."""
    return _KINDS.get(ChangeKind(kind), "") if kind else "Being worked out."


register.filter("duration", units.duration)
register.filter("signed_duration", units.signed_duration)
register.filter("frequency", units.frequency)
register.filter("percent", units.percent)


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
