"""Options of a list to choose from: of 200 applications a loop in a template takes longer than all the metrics."""

from collections.abc import Iterable

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

register = template.Library()
_SELECTED = SafeString(" selected")


@register.simple_tag
def options(names: Iterable[str], chosen: str | None) -> SafeString:
    """Return an option for each name, and mark the one that is chosen."""
    return format_html_join(
        "", "<option{}>{}</option>", ((_SELECTED if name == chosen else "", name) for name in names)
    )
