"""Digests: the week in a message, once a week, to whoever asked for it."""

import datetime as dt
import json
import re
import socket
import threading
import zoneinfo
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from deployments import outgoing
from deployments.models import Deployment, Environment, FailureFinding, Incident, Track, Workspace
from metrics.digests import schedule, sending
from metrics.models import Digest, Goal, Metric
from metrics.tasks import send_digests
from tests import factories
from tests.deployments.receivers import Receiver, certified, receiving, speaking

# The week from Monday, 2 March, to Sunday, 8 March 2026; the digest is due on Monday the 9th at 8:00.
MONDAY = dt.datetime(2026, 3, 9, 8, 0, tzinfo=dt.UTC)
LONG_AGO = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _mail(settings: Any) -> None:
    settings.EMAIL_URL = "memorymail://"
    settings.BASE_URL = "https://slipway.example"


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.SLIPWAY_ALLOWED_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    with receiving() as running:
        yield running


def subscribe(workspace: Workspace, address: str = "boss@example.com", **fields: Any) -> Digest:
    kind = Digest.Kind.EMAIL if "@" in address else Digest.Kind.SLACK
    return Digest.objects.create(
        workspace=workspace, kind=kind, address=address, created_at=fields.pop("created_at", LONG_AGO), **fields
    )


def run(at: dt.datetime) -> list[str]:
    """Send what is due at a moment, batch by batch, and return what went wrong with each."""
    errors: list[str] = []
    with time_machine.travel(at, tick=False):
        while outcomes := sending.send_due(at):
            errors += [outcome.error for outcome in outcomes]
    return errors


def sent() -> list[EmailMultiAlternatives]:
    return list(mail.outbox)  # type: ignore[arg-type]


def html_of(message: EmailMultiAlternatives) -> str:
    return str(message.alternatives[0][0])


@pytest.fixture
def week(workspace: Workspace) -> Track:
    """A week with three deployments, one of them failed, one change each; and one deployment in the week before."""
    track = factories.make_track(workspace)
    for days in (-5, 0, 1, 2):
        deployment = factories.make_deployment(track, factories.NOON + days * DAY)
        factories.make_change(deployment, 3 * HOUR)
    Deployment.objects.filter(pk=deployment.pk).update(
        has_failed=True, version="v<13>", repaired_at=deployment.deployed_at + 2 * HOUR
    )
    FailureFinding.objects.create(deployment=deployment, reason="rollback", why="…")
    return track


def test_the_week_is_told_against_the_one_before(week: Track) -> None:
    subscribe(week.application.workspace)
    assert run(MONDAY) == [""]
    message = sent()[0]
    assert message.to == ["boss@example.com"]
    assert message.subject == "Acme: the week 2 – 8 March 2026"
    failed = Deployment.objects.get(has_failed=True)
    for text in (
        "Deployment frequency: 3.0 a week\n  Before: 1.0 a week",
        "Change lead time: 3 h",
        "Change fail rate: 33 %",
        "1 of 3 deployments failed. 95 % range",
        f"- api v<13> in production: rolled back, repaired after 2 h\n"
        f"  https://slipway.example/deployments/{failed.pk}/",
        "https://slipway.example/?from=2026-03-02&to=2026-03-08",
    ):
        assert text in message.body
    assert "v&lt;13&gt;" in html_of(message)
    assert "▲" not in message.body, "from one deployment to three is noise"


def test_goals_arrows_waiting_changes_incidents_and_silence_are_told(week: Track) -> None:
    workspace = week.application.workspace
    Goal.objects.create(workspace=workspace, metric=Metric.CHANGE_FAIL_RATE, target=0.1)
    for number in range(40):
        factories.make_deployment(week, factories.NOON + number * dt.timedelta(minutes=1))
    Track.objects.filter(pk=week.pk).update(waiting_changes=4, waiting_since=MONDAY - 50 * HOUR)
    Incident.objects.create(
        workspace=workspace, title="Down & <out>", started_at=MONDAY - 3 * DAY, resolved_at=MONDAY - 2 * DAY
    )
    Incident.objects.create(workspace=workspace, title="Still slow", started_at=MONDAY - 30 * DAY)
    old = factories.make_deployment(week, MONDAY - 20 * DAY, version="v-old")
    Deployment.objects.filter(pk=old.pk).update(has_failed=True)
    quiet = factories.make_track(workspace, "quiet")
    for days in range(20, 30):
        factories.make_deployment(quiet, MONDAY - days * DAY)
    subscribe(workspace)
    assert run(MONDAY) == [""]
    body = sent()[0].body
    for text in (
        "▲", "Goal 10 %: met", "api in production: 4 changes, the oldest for 2.1 days",
        "Down & <out>: resolved after 1.0 days", "Still slow: open for 30 days", "api v-old in production",
        "quiet in production: used to report",
    ):  # fmt: skip
        assert text in body, text
    assert "Down &amp; &lt;out&gt;" in html_of(sent()[0])


def test_a_team_is_told_of_its_own(week: Track) -> None:
    workspace = week.application.workspace
    other = factories.make_track(workspace, "other")
    factories.make_deployment(other, factories.NOON)
    team = workspace.teams.create(name="Others")
    team.applications.add(other.application)
    subscribe(workspace, team=team)
    run(MONDAY)
    message = sent()[0]
    assert message.subject == "Acme · Others: the week 2 – 8 March 2026"
    assert "1 deployment on 1 of 7 days" in message.body
    assert "v<13>" not in message.body
    assert "team=Others" in message.body


def test_an_empty_week_says_no_data_and_why(workspace: Workspace) -> None:
    subscribe(workspace)
    assert run(MONDAY) == [""]
    assert "Deployment frequency: no data\n  No environment is production." in sent()[0].body


def test_a_chat_gets_text_and_blocks_in_which_nothing_is_a_link_or_mention(week: Track, receiver: Receiver) -> None:
    workspace = week.application.workspace
    Incident.objects.create(
        workspace=workspace, title="<!channel> & <https://evil.example|click>\n*x*", started_at=MONDAY - DAY
    )
    subscribe(workspace, f"http://127.0.0.1:{receiver.port}/services/T0/B0/secret")
    assert run(MONDAY) == [""]
    path, headers, body = receiver.got[0]
    assert path == "/services/T0/B0/secret"
    assert headers["content-type"] == "application/json; charset=utf-8"
    message = json.loads(body)
    written = json.dumps(message["blocks"], ensure_ascii=False) + message["text"]
    assert "&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt; *x*" in written
    assert "<!channel>" not in written
    assert "v&lt;13&gt;" in written
    assert set(re.findall(r"<(https?://[^/|>]+)", written)) == {"https://slipway.example"}
    assert message["blocks"][0]["text"] == {"type": "plain_text", "text": "Acme: the week 2 – 8 March 2026"}
    assert all(len(block["text"]["text"]) <= 3000 for block in message["blocks"])


def test_long_names_stay_within_the_bounds_of_the_chat(workspace: Workspace, receiver: Receiver) -> None:
    for number in range(30):
        track = factories.make_track(workspace, f"{number}{'&' * 250}", repository="a/b")
        factories.make_deployment(track, factories.NOON, has_failed=True, version="<" * 255)
    Workspace.objects.update(name="&" * 100)
    subscribe(workspace, f"http://127.0.0.1:{receiver.port}/")
    assert run(MONDAY) == [""]
    message = json.loads(receiver.got[0][2])
    assert max(len(block["text"]["text"]) for block in message["blocks"]) <= 3000
    more = re.search(r"and (\d+) more", message["text"])
    assert more is not None
    assert message["text"].count("• <") + int(more[1]) == 30


def test_a_digest_is_sent_once_a_week(week: Track) -> None:
    digest = subscribe(week.application.workspace)
    assert run(MONDAY - dt.timedelta(seconds=1)) == [""], "that of the week before, which was never sent"
    assert "23 February – 1 March 2026" in sent()[0].subject
    assert run(MONDAY - dt.timedelta(seconds=1)) == []
    assert run(MONDAY) == [""]
    for hours in (1, 24, 167):
        assert run(MONDAY + hours * HOUR) == []
    assert run(MONDAY + 7 * DAY) == [""]
    digest.refresh_from_db()
    assert digest.sent_for == dt.date(2026, 3, 15)
    assert len(sent()) == 3


def test_a_new_digest_waits_for_its_first_moment(week: Track) -> None:
    subscribe(week.application.workspace, created_at=MONDAY + HOUR)
    assert run(MONDAY + 2 * HOUR) == []
    assert run(MONDAY + 7 * DAY) == [""]


def test_two_workers_send_it_once(week: Track) -> None:
    subscribe(week.application.workspace)
    with time_machine.travel(MONDAY, tick=False):
        both = [one for _ in range(2) for one in sending.due(MONDAY)]
        assert [sending._claim(one, MONDAY) for one in both] == [True, False]


def test_a_worker_that_died_while_sending_is_made_up_for(week: Track) -> None:
    subscribe(week.application.workspace)
    with time_machine.travel(MONDAY, tick=False):
        assert sending._claim(sending.due(MONDAY)[0], MONDAY)
    assert run(MONDAY + dt.timedelta(minutes=5)) == []
    assert run(MONDAY + dt.timedelta(minutes=15)) == [""]


@pytest.mark.parametrize(
    ("zone", "weekday", "hour", "now", "due"),
    [
        ("UTC", 1, 8, "2026-03-09T08:00Z", "2026-03-09T08:00Z"),
        ("UTC", 1, 8, "2026-03-09T07:59Z", "2026-03-02T08:00Z"),
        ("Asia/Kolkata", 1, 8, "2026-03-09T02:30Z", "2026-03-09T02:30Z"),
        ("Pacific/Auckland", 1, 8, "2026-03-08T19:00Z", "2026-03-08T19:00Z"),
        # Clocks go forward on Sunday, 29 March: 2:00 is 3:00. They go back on 25 October: 2:00 comes twice.
        ("Europe/Berlin", 7, 2, "2026-03-29T01:00Z", "2026-03-29T01:00Z"),
        ("Europe/Berlin", 7, 2, "2026-10-25T00:30Z", "2026-10-25T00:00Z"),
        ("Europe/Berlin", 7, 2, "2026-10-25T01:30Z", "2026-10-25T00:00Z"),
        ("Europe/Berlin", 1, 8, "2026-03-30T06:00Z", "2026-03-30T06:00Z"),
        ("Europe/Berlin", 1, 8, "2026-10-26T06:59Z", "2026-10-19T06:00Z"),
    ],
)
def test_it_is_due_at_the_hour_of_the_workspace(zone: str, weekday: int, hour: int, now: str, due: str) -> None:
    moment = schedule.last_due(weekday, hour, zoneinfo.ZoneInfo(zone), dt.datetime.fromisoformat(now))
    assert moment == dt.datetime.fromisoformat(due)


@given(
    st.sampled_from(["Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "UTC"]),
    st.integers(1, 7),
    st.integers(0, 23),
    st.integers(0, 4 * 366 * 24 * 60).map(lambda minutes: LONG_AGO + dt.timedelta(minutes=minutes)),
)
def test_each_week_has_one_due_moment_and_tells_of_a_week_of_its_own(
    name: str, weekday: int, hour: int, now: dt.datetime
) -> None:
    zone = zoneinfo.ZoneInfo(name)
    due = schedule.last_due(weekday, hour, zone, now)
    assert dt.timedelta() <= now - due <= 7 * DAY + 2 * HOUR
    assert due.astimezone(zone).isoweekday() == weekday
    period, next_period = (
        schedule.week_before(moment, zone)
        for moment in (due, schedule.last_due(weekday, hour, zone, due + 7 * DAY + 2 * HOUR))
    )
    assert (period.first.isoweekday(), period.days) == (1, 7)
    assert period.end <= due
    assert next_period.first == period.first + 7 * DAY


def test_what_fails_is_tried_again_and_after_five_days_paused(week: Track, receiver: Receiver, pages: Client) -> None:
    receiver.status, receiver.body = 404, b"no_service"
    digest = subscribe(week.application.workspace, f"http://127.0.0.1:{receiver.port}/services/secret")
    now = MONDAY
    assert run(now) == ["The webhook answered 404: no_service"]
    assert run(now + dt.timedelta(minutes=14)) == []
    text = pages.get("/settings/digests/").content.decode()
    assert "it is tried again" in text
    assert "no_service" in text
    assert "secret" not in text
    while not Digest.objects.get().is_paused:
        now += dt.timedelta(minutes=15)
        run(now)
    assert 5 * DAY < now - MONDAY < 6 * DAY
    assert len(receiver.got) == schedule.MOST_ATTEMPTS
    assert "could not be sent for five days" in pages.get("/settings/digests/").content.decode()
    assert run(now + 7 * DAY) == []
    receiver.status = 200
    pages.post(f"/settings/digests/{digest.pk}/resume/")
    assert run(now) == [""]
    digest.refresh_from_db()
    assert (digest.attempts, digest.last_error, digest.next_attempt_at) == (0, "", None)


def test_a_slow_receiver_holds_up_no_other(week: Track, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_TIMEOUT", 0.3)
    workspace = week.application.workspace

    def say_nothing(_: socket.socket, ending: threading.Event) -> None:
        ending.wait()

    with speaking(say_nothing) as port:
        subscribe(workspace, f"http://127.0.0.1:{port}/")
        subscribe(workspace)
        assert run(MONDAY) == ["127.0.0.1 did not answer in time.", ""]
    assert len(sent()) == 1


def test_what_is_wrong_with_one_holds_up_no_other(week: Track, settings: Any) -> None:
    workspace = week.application.workspace
    unreadable = subscribe(workspace)
    Digest.objects.filter(pk=unreadable.pk).update(created_at=LONG_AGO)
    settings.SECRET_KEY = "another key"
    subscribe(workspace, "second@example.com")
    errors = run(MONDAY)
    assert "cannot be read" in errors[0]
    assert errors[1] == ""
    assert [message.to for message in sent()] == [["second@example.com"]]


def test_without_a_mail_server_none_is_sent_and_the_page_says_so(
    pages: Client, workspace: Workspace, settings: Any
) -> None:
    settings.EMAIL_URL = ""
    subscribe(workspace)
    assert run(MONDAY) == ["No mail server is configured: EMAIL_URL is not set."]
    assert "digests by e-mail cannot be sent" in pages.get("/settings/digests/").content.decode()
    settings.EMAIL_URL = "memorymail://"
    assert "digests by e-mail cannot be sent" not in pages.get("/settings/digests/").content.decode()


def test_a_mail_server_that_is_away_is_told(week: Track, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings.EMAIL_HOST, settings.EMAIL_PORT = taken.getsockname()
    subscribe(week.application.workspace)
    assert run(MONDAY)[0].startswith("The mail server did not take it:")


def test_a_name_with_line_breaks_smuggles_no_header_in(week: Track) -> None:
    Workspace.objects.update(name="Acme\r\nBcc: all@example.com")
    subscribe(week.application.workspace)
    assert run(MONDAY) == [""]
    assert sent()[0].subject.startswith("Acme Bcc: all@example.com: the week")
    assert "\nBcc:" not in sent()[0].message().as_string().partition("\n\n")[0]


def test_the_task_sends_what_is_due(week: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[int] = []
    monkeypatch.setattr(send_digests, "delay", lambda: rung.append(1))
    subscribe(week.application.workspace)
    with time_machine.travel(MONDAY, tick=False):
        send_digests()
        send_digests()
    assert (len(sent()), rung) == (1, [1])


def test_the_command_sends_and_shows(week: Track) -> None:
    subscribe(week.application.workspace)
    with time_machine.travel(MONDAY, tick=False):
        shown = StringIO()
        call_command("send_digests", "--dry-run", stdout=shown)
        assert "Change fail rate: 33 %" in shown.getvalue()
        assert "1 would be sent." in shown.getvalue()
        assert sent() == []
        shown = StringIO()
        call_command("send_digests", stdout=shown)
        assert "1 sent, 0 could not be sent." in shown.getvalue()
        assert len(sent()) == 1


def test_the_command_fails_where_something_could_not_be_sent(workspace: Workspace, settings: Any) -> None:
    settings.EMAIL_URL = ""
    subscribe(workspace)
    told = StringIO()
    with pytest.raises(CommandError), time_machine.travel(MONDAY, tick=False):
        call_command("send_digests", stdout=StringIO(), stderr=told)
    assert "No mail server is configured" in told.getvalue()


def test_many_digests_of_one_workspace_cost_few_queries_each(
    week: Track, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    workspace = week.application.workspace
    subscribe(workspace)
    with django_assert_max_num_queries(100) as one:
        run(MONDAY)
    for number in range(10):
        subscribe(workspace, f"{number}@example.com")
    with django_assert_max_num_queries(len(one) + 10 * 3):
        run(MONDAY + 7 * DAY)


# --- The pages ---


def add(pages: Client, **fields: Any) -> Any:
    wanted = {"kind": "email", "address": "boss@example.com", "weekday": "5", "hour": "16", **fields}
    return pages.post("/settings/digests/", wanted, follow=True)


def test_a_digest_is_added_changed_paused_resumed_and_removed(pages: Client, workspace: Workspace) -> None:
    text = add(pages).content.decode()
    for shown in ("boss@example.com", "Fridays, 16:00", "never"):
        assert shown in text
    digest = Digest.objects.get()
    path = f"/settings/digests/{digest.pk}/"
    assert "boss@example.com" not in pages.get(path).content.decode()
    pages.post(path, {"kind": "email", "address": "", "weekday": "1", "hour": "7"})
    digest.refresh_from_db()
    assert (digest.address, digest.weekday, digest.hour) == ("boss@example.com", 1, 7)
    pages.post(path, {"kind": "email", "address": "new@example.com", "weekday": "1", "hour": "7"})
    assert Digest.objects.get().address == "new@example.com"
    pages.post(path + "pause/")
    assert Digest.objects.get().is_paused
    assert "paused" in pages.get("/settings/digests/").content.decode()
    pages.post(path + "resume/")
    assert not Digest.objects.get().is_paused
    pages.post(path + "remove/")
    assert not Digest.objects.exists()


def test_the_last_week_is_sent_at_once_when_asked_for_and_in_its_time_all_the_same(
    pages: Client, week: Track
) -> None:
    digest = subscribe(week.application.workspace)
    with time_machine.travel(MONDAY - HOUR, tick=False):
        Digest.objects.update(sent_for=dt.date(2026, 3, 1))
        text = pages.post(f"/settings/digests/{digest.pk}/send/", follow=True).content.decode()
    assert "The last week is sent." in text
    assert run(MONDAY) == [""]
    assert [message.subject for message in sent()] == ["Acme: the week 2 – 8 March 2026"] * 2


def test_sending_at_once_tells_what_went_wrong(pages: Client, workspace: Workspace, settings: Any) -> None:
    digest = subscribe(workspace, "https://127.0.0.1/x")
    text = pages.post(f"/settings/digests/{digest.pk}/send/", follow=True).content.decode()
    assert "It could not be sent. 127.0.0.1 is in a private network" in text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"address": "boss"}, "Enter an e-mail address."),
        ({"address": "a@example.com\nBcc: b@example.com"}, "Enter an e-mail address."),
        ({"kind": "slack", "address": "http://8.8.8.8/"}, "begins with https://"),
        ({"kind": "slack", "address": "https://127.0.0.1/hook"}, "private network"),
        ({"kind": "slack", "address": "https://localhost/hook"}, "private network"),
        ({"kind": "slack", "address": "https://user:secret@8.8.8.8/"}, "user name"),
        ({"kind": "pigeon"}, "Select a valid choice"),
        ({"weekday": "8"}, "Select a valid choice"),
        ({"hour": "24"}, "Select a valid choice"),
        ({"address": ""}, "This field is required"),
    ],
)
def test_an_address_that_will_not_do_is_refused_when_it_is_entered(
    pages: Client, fields: dict[str, str], said: str
) -> None:
    assert said in add(pages, **fields).content.decode()
    assert not Digest.objects.exists()


def test_a_public_webhook_is_taken_and_its_address_not_shown_again(pages: Client, workspace: Workspace) -> None:
    text = add(pages, kind="slack", address="https://8.8.8.8/services/T0/secret").content.decode()
    assert "8.8.8.8/…" in text
    assert "secret" not in text
    digest = Digest.objects.get()
    assert "secret" not in pages.get(f"/settings/digests/{digest.pk}/").content.decode()
    answer = pages.post(f"/settings/digests/{digest.pk}/", {"kind": "email", "address": "", "weekday": 1, "hour": 7})
    assert "Enter the address" in answer.content.decode()


def test_a_webhook_over_tls_gets_its_digest(
    week: Track, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SLIPWAY_ALLOWED_PRIVATE_NETWORKS = ["127.0.0.1/32"]
    context, authority = certified(tmp_path, "localhost")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    monkeypatch.setattr(
        outgoing.socket, "getaddrinfo",
        lambda host, port, *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))],
    )  # fmt: skip
    with receiving(context) as receiver:
        subscribe(week.application.workspace, f"https://localhost:{receiver.port}/hook")
        assert run(MONDAY) == [""]
    assert len(receiver.got) == 1


def test_nobody_touches_digests_of_others(pages: Client) -> None:
    digest = subscribe(factories.make_workspace("Other"), "theirs@example.com")
    path = f"/settings/digests/{digest.pk}/"
    assert pages.get(path).status_code == 404
    for act in ("pause", "resume", "remove", "send"):
        assert pages.post(f"{path}{act}/").status_code == 404
    assert "theirs@example.com" not in pages.get("/settings/digests/").content.decode()
    assert Digest.objects.filter(is_paused=False).count() == 1


def test_an_address_that_cannot_be_read_any_more_is_said_so(
    pages: Client, workspace: Workspace, settings: Any
) -> None:
    digest = subscribe(workspace)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE metrics_digest SET address = 'no cipher'")
    assert "cannot be read any more" in pages.get("/settings/digests/").content.decode()
    assert pages.get(f"/settings/digests/{digest.pk}/").status_code == 200


def test_the_list_costs_the_same_queries_for_one_and_for_many(
    pages: Client, workspace: Workspace, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    subscribe(workspace, team=workspace.teams.create(name="A"))
    with django_assert_max_num_queries(100) as one:
        pages.get("/settings/digests/")
    for number in range(10):
        subscribe(workspace, f"{number}@example.com", team=workspace.teams.create(name=str(number)))
    with django_assert_max_num_queries(len(one)):
        pages.get("/settings/digests/")


# --- Being sent no more ---


def unsubscribe_link() -> str:
    headers = sent()[-1].extra_headers
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = headers["List-Unsubscribe"].strip("<>")
    assert link in sent()[-1].body
    assert link.startswith("https://slipway.example/")
    return str(link.removeprefix("https://slipway.example"))


def test_whoever_gets_a_digest_can_be_sent_no_more_by_its_link(week: Track) -> None:
    subscribe(week.application.workspace)
    run(MONDAY)
    stranger = Client(enforce_csrf_checks=True)
    asked = stranger.get(unsubscribe_link())
    assert "boss@example.com" in asked.content.decode()
    assert Digest.objects.exists(), "mail scanners follow links"
    assert "No more digests" in stranger.post(unsubscribe_link()).content.decode()
    assert not Digest.objects.exists()
    assert stranger.get(unsubscribe_link()).status_code == 404


def test_an_old_or_made_up_link_removes_nothing(week: Track) -> None:
    digest = subscribe(week.application.workspace)
    run(MONDAY)
    old = unsubscribe_link()
    digest.address = "new@example.com"
    digest.save()
    for link in (old, "/unsubscribe/abc:def/", old[:-3] + "xx/"):
        assert Client().post(link).status_code == 404
    assert Digest.objects.exists()


def test_environments_that_are_not_production_stay_out(week: Track) -> None:
    Environment.objects.update(is_production=False)
    subscribe(week.application.workspace)
    run(MONDAY)
    assert "v<13>" not in sent()[0].body
