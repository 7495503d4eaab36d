"""Pages of lists, with GitHub's `Link` header (RFC 8288)."""

import re
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request

from deployments.api.github_style.addresses import absolute

_PER_PAGE, _MOST_PER_PAGE = 30, 100
_LAST_THINKABLE_PAGE = 10**9
_MOST_DIGITS = 18  # beyond those a number is above every limit here


def _number(request: Request, name: str, default: int, most: int) -> int:
    """Return a parameter, or the default where it is no number of anything."""
    text = request.query_params.get(name, "")
    number = int(text[:_MOST_DIGITS]) if re.fullmatch("[0-9]+", text, re.ASCII) else default
    return min(number or default, most)


def one_page(request: Request, rows: QuerySet[Any]) -> tuple[list[Any], int, dict[str, str]]:
    """Return the rows of the page that is asked for, how many there are in all, and the headers."""
    per_page = _number(request, "per_page", _PER_PAGE, _MOST_PER_PAGE)
    page = _number(request, "page", 1, _LAST_THINKABLE_PAGE)
    total = rows.count()
    last = max(1, -(-total // per_page))
    start = (page - 1) * per_page
    found = list(rows[start : start + per_page]) if start < total else []
    links = _links(request, page, last)
    return found, total, {"Link": links} if links else {}


def _links(request: Request, page: int, last: int) -> str:
    places = {}
    if page > 1:
        places["prev"] = min(page - 1, last)
    if page < last:
        places |= {"next": page + 1, "last": last}
    if page > 1:
        places["first"] = 1
    return ", ".join(f'<{_address(request, number)}>; rel="{name}"' for name, number in places.items())


def _address(request: Request, page: int) -> str:
    query = request.query_params.copy()
    query["page"] = str(page)
    return absolute(request, f"{request.path}?{query.urlencode()}")
