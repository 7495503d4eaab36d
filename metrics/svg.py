"""Small charts as SVG, made on the server: they print, and mail shows them, where no script runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_WIDTH, _HEIGHT = 330, 96
_TOP, _BOTTOM = 18, 16  # room for the value above a column, and for the name below it
_COLUMN = 0.62  # of the room that a column has
# The style sheet has colours of its own for these classes. The attributes are for where there is none.
_COLOURS = {"now": "#0f7f7f", "then": "#9fc9c6", "none": "#5a6a6c"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its value in words, and how high it is; None where there is no data."""

    name: str
    words: str
    value: float | None


def columns(title: str, shown: Sequence[Column]) -> SafeString:
    """Return columns side by side, the last one set off. What has no data has no column, and says so."""
    highest = max((column.value for column in shown if column.value is not None), default=0.0) or 1.0
    room = _WIDTH / max(1, len(shown))
    parts = format_html_join(
        "",
        "{}",
        (
            (_drawn(column, room * place, room, highest, is_last=place == len(shown) - 1),)
            for place, column in enumerate(shown)
        ),
    )
    return format_html(
        '<svg class="columns-chart" viewBox="0 0 {} {}" role="img" aria-label="{}" font-size="9"'
        ' font-family="sans-serif" text-anchor="middle">{}</svg>',
        _WIDTH,
        _HEIGHT,
        f"{title}: " + ", ".join(f"{column.name} {column.words}" for column in shown),
        parts,
    )


def _drawn(column: Column, left: float, room: float, highest: float, *, is_last: bool) -> SafeString:
    middle = f"{left + room / 2:.1f}"
    full = _HEIGHT - _TOP - _BOTTOM
    height = 0.0 if column.value is None else max(1.5, full * column.value / highest)
    top = _HEIGHT - _BOTTOM - height
    kind = "none" if column.value is None else "now" if is_last else "then"
    bar = format_html(
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="2" fill="{}" />',
        kind,
        f"{left + room * (1 - _COLUMN) / 2:.1f}",
        f"{top:.1f}",
        f"{room * _COLUMN:.1f}",
        f"{height:.1f}",
        _COLOURS[kind],
    )
    return format_html(
        '{}<text class="words" x="{}" y="{}" fill="#14201f">{}</text>'
        '<text class="name" x="{}" y="{}" fill="#5a6a6c">{}</text>',
        bar if column.value is not None else "",
        middle,
        f"{top - 4:.1f}",
        column.words,
        middle,
        _HEIGHT - 4,
        column.name,
    )
