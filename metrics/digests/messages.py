"""Digests as e-mails and as messages to a Slack-compatible webhook. Names and titles are other people's text."""

import hashlib
import json
import re

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from deployments.encryption import Undecipherable
from metrics.digests.content import Line, Row, Section, Week, base_url
from metrics.models import Digest

_SALT = "slipway.digest"
_ARROWS = {"up": "▲", "down": "▼", "": ""}
# Slack's own bounds, in characters: https://docs.slack.dev/reference/block-kit/blocks
_LONGEST_HEADER = 150
_LONGEST_SECTION = 3000
_LONGEST_TEXT = 200


def email(digest: Digest, week: Week) -> EmailMultiAlternatives:
    """Return a digest as an e-mail: text and HTML, with a link to be sent no more of them."""
    unsubscribe = f"{base_url()}{reverse('metrics:unsubscribe', args=[unsubscribe_token(digest)])}"
    context = {"week": week, "unsubscribe": unsubscribe, "arrows": _ARROWS}
    message = EmailMultiAlternatives(
        subject=_one_line(f"{week.title}: the week {week.days}"),
        body=render_to_string("metrics/digests/email.txt", context),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[digest.address],
        # RFC 2369 and RFC 8058: mail programs show a button, which sends a POST.
        headers={
            "List-Unsubscribe": f"<{unsubscribe}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(render_to_string("metrics/digests/email.html", context), "text/html")
    return message


def as_text(week: Week) -> str:
    """Return what a digest says, as plain text."""
    return render_to_string("metrics/digests/email.txt", {"week": week, "arrows": _ARROWS})


def unsubscribe_token(digest: Digest) -> str:
    """Return what lets whoever gets a digest be sent no more: good for this digest and this address only."""
    return signing.Signer(salt=_SALT).sign_object([digest.pk, _print_of(digest.address)])


def digest_of(token: str) -> Digest | None:
    """Return the digest that a token is about; None where it is not good, or there is none any more."""
    try:
        pk, printed = signing.Signer(salt=_SALT).unsign_object(token)
    except (signing.BadSignature, ValueError):
        return None
    try:
        digest = Digest.objects.filter(pk=pk).select_related("workspace").first()
    except Undecipherable:
        return None
    return digest if digest is not None and _print_of(digest.address) == printed else None


def _print_of(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:16]


def slack(week: Week) -> bytes:
    """Return a digest as the body of a Slack webhook; others that take it show the text and ignore the blocks."""
    title = _one_line(f"{week.title}: the week {week.days}")
    parts = [
        "\n".join(_slack_line(line) for line in week.lines),
        *(_slack_section(section) for section in week.sections),
        _slack_foot(week),
    ]
    header = {"type": "header", "text": {"type": "plain_text", "text": _cut(title, _LONGEST_HEADER)}}
    body = {
        "text": "\n\n".join([f"*{_escaped(title)}*", *parts]),
        "blocks": [header, *({"type": "section", "text": {"type": "mrkdwn", "text": part}} for part in parts)],
    }
    return json.dumps(body, ensure_ascii=False).encode()


def _slack_line(line: Line) -> str:
    if line.no_data:
        return f"*{line.title}*: no data. {_escaped(line.no_data)}"
    goal = ""
    if line.goal:
        goal = f" Goal {line.goal}: {'met' if line.goal_is_met else 'not met'}."
    found = " ".join(f"{text[:1].upper()}{text[1:]}." for text in (line.sample, line.range) if text)
    compared = " ".join(filter(None, [_ARROWS[line.arrow], line.change]))
    return f"*{line.title}*: *{line.value}* (before: {line.before}, {compared}). {found}{goal}"


def _slack_section(section: Section) -> str:
    lines, room = [f"*{section.title}*"], _LONGEST_SECTION - 100
    for row in section.rows:
        line = _slack_row(row)
        room -= len(line) + 1
        if room < 0:
            break
        lines.append(line)
    more = section.more + len(section.rows) - (len(lines) - 1)
    return "\n".join([*lines, f"and {more:,} more"] if more else lines)


def _slack_row(row: Row) -> str:
    return f"• <{row.link}|{_escaped(_cut(row.text, _LONGEST_TEXT))}> – {_escaped(row.note)}"


def _slack_foot(week: Week) -> str:
    note = " Some numbers are being recomputed." if week.is_recomputing else ""
    return f"<{_escaped(week.overview)}|Overview of the week> · <{_escaped(week.review)}|Review>{note}"


def _escaped(text: str) -> str:
    """Return text as Slack shows it as it is: no link, no mention, on one line."""
    # https://docs.slack.dev/messaging/formatting-message-text#escaping
    return _one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _one_line(text: str) -> str:
    return re.sub(r"[\s\x00-\x1f\x7f]+", " ", text).strip()


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
