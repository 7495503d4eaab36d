"""Reads which change a revert takes back, from what Git and GitHub write into messages, bodies and branches.

Plain functions over other people's text: each looks at a bounded part of it, in time proportional to that.
"""

import re
from dataclasses import dataclass

# As much of a message is looked at, and as many hashes in it.
_MOST_TEXT = 8_000
_MOST_HASHES = 50
_DEEPEST = 50
_OF_COMMIT = re.compile(r"\breverts commit ([0-9a-f]{7,64})\b", re.IGNORECASE)
_OF_NUMBER = re.compile(r"^reverts (?:([\w.-]{1,100}/[\w.-]{1,100}))?#(\d{1,9})\b", re.IGNORECASE | re.MULTILINE)
_OF_BRANCH = re.compile(r"revert-(\d{1,9})-")
_NUMBER_AT_END = re.compile(r" \(#\d{1,9}\)$")
_REVERT, _REAPPLY = 'revert "', 'reapply "'


@dataclass(frozen=True, slots=True)
class Revert:
    """What a change says that it takes back: commits by their hashes, pull requests by number, or a subject."""

    hashes: tuple[str, ...] = ()  # full or abbreviated, in lower case
    numbers: tuple[int, ...] = ()
    title: str = ""
    # How often something is taken back, by the subject alone: a revert of a revert has two, and so has a Reapply.
    depth: int = 1


def read_revert(message: str) -> Revert | None:
    """Return what a commit with this message takes back; None where it says nothing of the kind."""
    text = message[:_MOST_TEXT]
    subject, _, body = text.partition("\n")
    title, depth = _quoted(subject.strip())
    hashes = dict.fromkeys(found.lower() for found in _OF_COMMIT.findall(text)[:_MOST_HASHES])
    numbers = dict.fromkeys(int(number) for _, number in _OF_NUMBER.findall(body)[:_MOST_HASHES])
    if not title and not hashes and not numbers:
        return None
    return Revert(tuple(hashes), tuple(numbers), title, max(depth, 1))


def _quoted(subject: str) -> tuple[str, int]:
    """Return the subject that a revert names, and how often something is taken back."""
    title, depth = _inside(subject)
    inner, more = title, depth
    for _ in range(_DEEPEST):
        if not more:
            return title, depth
        inner, more = _inside(inner)
        depth += more
    return title, depth


def _inside(subject: str) -> tuple[str, int]:
    text = without_number(subject)
    start = text[: len(_REAPPLY)].lower()
    if len(text) < len(_REAPPLY) or not text.endswith('"'):
        return "", 0
    if start.startswith(_REVERT):
        return text[len(_REVERT) : -1], 1
    if start.startswith(_REAPPLY):
        return text[len(_REAPPLY) : -1], 2
    return "", 0


def without_number(subject: str) -> str:
    """Return a subject without the number of a pull request that GitHub puts at its end."""
    return _NUMBER_AT_END.sub("", subject)


def is_titled(subject: str, title: str) -> bool:
    """Tell whether a commit of this subject is the one that a revert names."""
    return subject == title or without_number(subject) == title


def reverted_number(body: str, branch: str, full_name: str) -> int | None:
    """Return the number of the pull request that one reverts, as GitHub's button writes it; None where it is none.

    The body names the repository; one that is about another repository says nothing of this one.
    """
    for named, number in _OF_NUMBER.findall(body[:_MOST_TEXT]):
        if not named or named.lower() == full_name.lower():
            return int(number)
    match = _OF_BRANCH.match(branch)
    return int(match[1]) if match else None
