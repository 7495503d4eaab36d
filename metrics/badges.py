"""Badges: one metric as a picture, for whoever has its link."""

import unicodedata
from dataclasses import asdict, dataclass
from typing import Any

from django.core import signing
from django.db.models import F
from django.utils import timezone
from django.utils.html import escape

from deployments.models import Application, Environment, Team, Workspace
from metrics.models import BadgeKey, Metric
from metrics.periods import Interval, last_days
from metrics.reports import dora_report
from metrics.selections import Selection
from metrics.wording import written

NOT_VALID = "not valid"
NO_DATA = "no data"
MOST_DAYS = 366
LONGEST_LABEL = 60
_SALT = "slipway.badge"
_LABELS = {
    Metric.DEPLOYMENT_FREQUENCY: "deployments",
    Metric.CHANGE_LEAD_TIME: "lead time",
    Metric.RECOVERY_TIME: "recovery time",
    Metric.CHANGE_FAIL_RATE: "change fail rate",
    Metric.REWORK_RATE: "rework rate",
}
_COLOURS = {NO_DATA: "#6a737d", NOT_VALID: "#b3261e"}
_COLOUR = "#0f6e6e"
# Advance widths of Verdana, in thousandths of its size. Where the reader has another font, `textLength` fits it.
_WIDTHS = {
    **dict.fromkeys("ijl|'!,. ", 330), **dict.fromkeys("ftr-/:;()[]{}I·", 430), **dict.fromkeys("csyzkvx\"J", 560),
    **dict.fromkeys("mMW%@—", 1000), **dict.fromkeys("wGOQDHNU&−+=<>~#", 810),
}  # fmt: skip
_USUAL_WIDTH, _CAPITAL_WIDTH, _WIDE_WIDTH = 640, 700, 1000
_SIZE = 11


class BadgeNotValid(ValueError):
    """A link to a badge was not made here, was revoked, or is about what there is no more."""


@dataclass(frozen=True, slots=True)
class Badge:
    """What a badge is about. The ids are those of rows; all production where none is named."""

    metric: str
    days: int
    application: int | None = None
    environment: int | None = None
    team: int | None = None
    label: str = ""


def token_of(workspace: Workspace, badge: Badge) -> str:
    """Return what names a badge in its link. The same badge has the same one until links are revoked."""
    fields = {name[:1]: value for name, value in asdict(badge).items() if value}
    # Signed without a time, so that the link to a badge stays the same.
    content = {**fields, "w": workspace.pk.hex, "v": _version(workspace)}
    return signing.Signer(salt=_SALT).sign_object(content, compress=True)


def svg_of(token: str) -> str:
    """Return the picture that a link leads to. Raises BadgeNotValid."""
    workspace, badge = _read(token)
    selection = _selection(workspace, badge)
    metric = Metric(badge.metric)
    value = dora_report(selection).now.value(metric)
    return draw(badge.label or _LABELS[metric], NO_DATA if value is None else written(metric, value))


def revoke(workspace: Workspace) -> None:
    """Make every link to a badge of a workspace invalid."""
    BadgeKey.objects.get_or_create(workspace=workspace)
    BadgeKey.objects.filter(workspace=workspace).update(version=F("version") + 1)


def _version(workspace: Workspace) -> int:
    return BadgeKey.objects.filter(workspace=workspace).values_list("version", flat=True).first() or 1


def _read(token: str) -> tuple[Workspace, Badge]:
    try:
        content: dict[str, Any] = signing.Signer(salt=_SALT).unsign_object(token)
        workspace = Workspace.objects.get(pk=content["w"])
        badge = Badge(
            Metric(content["m"]), content["d"], content.get("a"), content.get("e"), content.get("t"),
            content.get("l", ""),
        )  # fmt: skip
    except (signing.BadSignature, Workspace.DoesNotExist, ValueError, KeyError) as error:
        raise BadgeNotValid from error
    if content["v"] != _version(workspace):
        raise BadgeNotValid
    return workspace, badge


def _selection(workspace: Workspace, badge: Badge) -> Selection:
    environments = Environment.objects.filter(workspace=workspace)
    today = timezone.now().astimezone(workspace.zone).date()
    return Selection(
        workspace,
        last_days(badge.days, today, workspace.zone),
        Interval.MONTH,
        _rows(environments, badge.environment) or list(environments.filter(is_production=True)),
        _rows(Application.objects.filter(workspace=workspace).select_related("repository"), badge.application),
        teams=_rows(Team.objects.filter(workspace=workspace), badge.team),
    )


def _rows(rows: Any, pk: int | None) -> list[Any]:
    found = [] if pk is None else list(rows.filter(pk=pk))
    if pk is not None and not found:
        raise BadgeNotValid
    return found


def draw(label: str, value: str) -> str:
    """Return a badge as SVG. Its texts stand on colours of their own, so it is read on light and dark pages."""
    label, value = _printable(label), _printable(value)
    left, right = _width(label), _width(value)
    whole = left + right + 40
    title = escape(f"{label}: {value}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<clipPath id="r"><rect width="{whole}" height="20" rx="4"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left + 20}" height="20" fill="#3d444d"/>'
        f'<rect x="{left + 20}" width="{right + 20}" height="20" fill="{_COLOURS.get(value, _COLOUR)}"/></g>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="{_SIZE}">'
        f'<text x="10" y="14" textLength="{left}">{escape(label)}</text>'
        f'<text x="{left + 30}" y="14" textLength="{right}">{escape(value)}</text></g></svg>\n'
    )


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable()).strip()[:LONGEST_LABEL] or "–"


def _width(text: str) -> int:
    return max(1, round(sum(map(_width_of, text)) * _SIZE / 1000))


def _width_of(character: str) -> int:
    if character in _WIDTHS:
        return _WIDTHS[character]
    if unicodedata.combining(character):
        return 0
    if unicodedata.east_asian_width(character) in "WF":
        return _WIDE_WIDTH
    return _CAPITAL_WIDTH if character.isupper() else _USUAL_WIDTH
