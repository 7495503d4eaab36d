"""Patterns that people enter: RE2, regardless of case. RE2 takes time in proportion to the text, so none can hang."""

import functools
from collections.abc import Iterable

import re2

MOST_PATTERNS = 50
LONGEST_PATTERN = 200
# What a compiled pattern may take: RE2 refuses one that needs more.
_MEMORY_BYTES = 1 << 20


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> "re2._Regexp[str]":
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = _MEMORY_BYTES
    return re2.compile(pattern, options)


def invalid_reason(pattern: str) -> str:
    """Return why RE2 cannot take a pattern, in its words; empty where it can."""
    try:
        _compiled(pattern)
    except re2.error as error:
        said = error.args[0] if error.args else "it cannot be read"
        return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    except UnicodeEncodeError:
        return "it has half a character in it"
    return ""


def matching(patterns: Iterable[str], text: str) -> str | None:
    """Return the first of the patterns that is found in a text, or None. What RE2 cannot take matches nothing."""
    return next(
        (pattern for pattern in patterns if not invalid_reason(pattern) and _compiled(pattern).search(text)), None
    )
