"""The page that says why the lead time changed."""

import csv
import datetime as dt
import io
from typing import Any

from django.test import Client

from deployments.models import Change, Deployment, PullRequest, Track, Workspace
from tests import factories
from tests.factories import NOON

WINDOW = "from=2026-03-01&to=2026-03-30"
BEFORE = NOON - dt.timedelta(days=30)
HOUR = 3600


def ship(track: Track, at: dt.datetime, **hours: float) -> Change:
    """A pull request that was deployed then, and spent so many hours in each stage."""
    deployment = factories.make_deployment(track, at)
    number = PullRequest.objects.count() + 1
    pull_request = PullRequest.objects.create(
        repository=track.application.repository, number=number, author="ada", opened_at=at, facts_at=at
    )
    stages = ("coding", "draft", "waiting_for_review", "review", "waiting_for_deployment")
    lengths = {f"{name}_seconds": int(hours.get(name, 0) * HOUR) for name in stages}
    lead_time = dt.timedelta(seconds=sum(lengths.values()))
    return factories.make_change(deployment, lead_time, pull_request=pull_request, **lengths)


def why(pages: Client, query: str = WINDOW) -> str:
    answer = pages.get(f"/why/?{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_names_the_stage_and_the_application(workspace: Workspace, pages: Client) -> None:
    billing, web = factories.make_track(workspace, "billing"), factories.make_track(workspace, "web")
    for at, waited in ((BEFORE, 2), (NOON, 18)):
        for minute in range(4):
            ship(billing, at + dt.timedelta(minutes=minute), coding=3, waiting_for_deployment=waited)
            ship(web, at + dt.timedelta(minutes=minute), coding=3, waiting_for_deployment=2)
    told = why(pages)
    assert "+8 h: +8 h waiting for deployment, all in billing." in told
    assert "within noise" not in told.split('id="stages"')[0].split("Median")[0]
    table = told.split('id="applications"')[1]
    assert table.index("billing") < table.index(">web<")
    assert "5 h" in told
    assert "13 h" in told


def test_the_applications_that_make_most_of_it_come_first_and_the_others_are_folded(
    workspace: Workspace, pages: Client
) -> None:
    for number in range(23):
        track = factories.make_track(workspace, f"app-{number:02}")
        for at, waited in ((BEFORE, 2), (NOON, 2 + number)):
            ship(track, at, waiting_for_deployment=waited)
    shown, _, folded = why(pages).split('id="applications"')[1].partition("<details>")
    assert shown.index("app-22") < shown.index("app-21") < shown.index("app-03")
    assert "3 more applications" in shown
    assert "app-02" not in shown
    assert "The other 3" in folded
    assert folded.index("app-02") < folded.index("app-01") < folded.index("app-00")


def test_its_table_as_csv_adds_up(workspace: Workspace, pages: Client) -> None:
    for name, waited in (("billing", 16), ("web", 4)):
        track = factories.make_track(workspace, name)
        ship(track, BEFORE, coding=3, waiting_for_deployment=2)
        ship(track, NOON, coding=3, waiting_for_deployment=2 + waited)
    answer: Any = pages.get(f"/why/?{WINDOW}&format=csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [(row["app"], row["waitingForDeployment"], row["together"]) for row in rows] == [
        ("billing", str(8 * HOUR), str(8 * HOUR)), ("web", str(2 * HOUR), str(2 * HOUR)),
    ]  # fmt: skip


def test_it_honours_the_filters_of_the_overview(workspace: Workspace, pages: Client) -> None:
    billing, web = factories.make_track(workspace, "billing"), factories.make_track(workspace, "web")
    for at, hours in ((BEFORE, 2), (NOON, 18)):
        ship(billing, at, coding=hours)
        ship(web, at, coding=5)
    assert "+16 h coding" in why(pages, f"{WINDOW}&app=billing")
    assert "Nothing changed." in why(pages, f"{WINDOW}&app=web")
    bots = why(pages, f"{WINDOW}&bots=only")
    assert "No data" in bots


def test_a_few_changes_that_differ_much_are_noise(workspace: Workspace, pages: Client) -> None:
    track = factories.make_track(workspace)
    for at, lengths in ((BEFORE, (1, 9, 4)), (NOON, (2, 30, 5))):
        for minute, hours in enumerate(lengths):
            ship(track, at + dt.timedelta(minutes=minute), coding=hours)
    assert "within noise" in why(pages).split('id="stages"')[0]


def test_without_changes_before_it_says_that_there_is_nothing_to_compare_with(
    workspace: Workspace, pages: Client
) -> None:
    track = factories.make_track(workspace)
    assert "Nothing was deployed" in why(pages)
    ship(track, NOON, coding=1)
    assert "Nothing to compare with" in why(pages)


def test_what_waits_longest_comes_first(workspace: Workspace, pages: Client) -> None:
    now = dt.datetime.now(dt.UTC)
    for app, days in (("api", 2), ("billing", 9), ("web", 0)):
        track = factories.make_track(workspace, app)
        ship(track, NOON, coding=1)
        since = now - dt.timedelta(days=days) if days else None
        Track.objects.filter(pk=track.pk).update(waiting_changes=days, waiting_since=since)
    waiting = why(pages).split('id="waiting"')[1]
    assert waiting.index("billing") < waiting.index("api")
    assert "9.0 days" in waiting
    assert "web" not in waiting.split("</table>")[0]
    assert "billing" not in why(pages, f"{WINDOW}&app=api").split('id="waiting"')[1]


def test_two_applications_of_one_name_are_told_apart(workspace: Workspace, pages: Client) -> None:
    for repository in ("acme/one", "acme/two"):
        track = factories.make_track(workspace, "api", repository=repository)
        ship(track, BEFORE, coding=1)
        ship(track, NOON, coding=2)
    assert "api (acme/one)" in why(pages)


def test_it_costs_the_same_queries_however_much_there_is(
    workspace: Workspace, pages: Client, django_assert_max_num_queries: Any, django_assert_num_queries: Any
) -> None:
    counted = []
    for app in ("a", "b", "c", "d"):
        track = factories.make_track(workspace, app)
        for minute in range(5):
            ship(track, BEFORE + dt.timedelta(minutes=minute), coding=1)
            ship(track, NOON + dt.timedelta(days=minute), coding=2)
        with django_assert_max_num_queries(30) as queries:
            why(pages)
        counted.append(len(queries))
    assert Deployment.objects.count() == 40
    assert counted[1:] == counted[:1] * 3


def test_nothing_of_another_workspace_is_in_it(workspace: Workspace, pages: Client) -> None:
    other = factories.make_track(factories.make_workspace("Other"), "secret")
    for at in (BEFORE, NOON):
        ship(other, at, coding=1)
        ship(factories.make_track(workspace), at, coding=1)
    assert "secret" not in why(pages)


def test_what_stopped_reporting_is_named(workspace: Workspace, pages: Client) -> None:
    now = dt.datetime.now(dt.UTC)
    for app in ("api", "billing"):
        track = factories.make_track(workspace, app)
        for days in range(12, 42, 2):
            factories.make_deployment(track, now - dt.timedelta(days=days))
    factories.make_deployment(factories.make_track(workspace, "billing"), now)
    silent = why(pages).split('id="silent"')[1]
    assert "nothing for 12 days" in silent
    assert "billing" not in silent
    assert "as often as it used to" in why(pages, f"{WINDOW}&app=billing")
