"""What the overview fetches after itself: what waits, what is silent, what is being worked out anew."""

import datetime as dt

from django.test import Client

from deployments.models import Track, Workspace
from tests import factories
from tests.factories import make_deployment, make_track


def test_the_overview_asks_for_it_with_its_own_selection(workspace: Workspace, pages: Client) -> None:
    make_deployment(make_track(workspace), factories.recently())
    answer = pages.get("/?period=90d&app=api")
    assert (
        b'hx-get="/attention/?period=90d&amp;interval=week&amp;environment=production&amp;app=api"' in answer.content
    )


def test_it_says_what_waits_longest_and_what_is_worked_out_anew(workspace: Workspace, pages: Client) -> None:
    track = make_track(workspace, "billing")
    make_deployment(track, factories.recently())
    since = dt.datetime.now(dt.UTC) - dt.timedelta(days=3)
    Track.objects.filter(pk=track.pk).update(waiting_changes=4, waiting_since=since, rebuild_pending=True)
    text = pages.get("/attention/").content.decode()
    assert "billing" in text
    assert "3.0 days" in text
    assert "of 1 place are being worked out anew" in text


def test_it_names_what_stopped_reporting(workspace: Workspace, pages: Client) -> None:
    track = make_track(workspace, "billing")
    for days in range(20, 60, 2):
        make_deployment(track, factories.recently() - dt.timedelta(days=days))
    text = pages.get("/attention/").content.decode()
    assert "Stopped deploying, or stopped reporting?" in text
    assert "nothing for 20 days" in text


def test_where_all_is_well_it_says_so(workspace: Workspace, pages: Client) -> None:
    make_deployment(make_track(workspace), factories.recently())
    text = pages.get("/attention/").content.decode()
    assert "Nothing that is known of waits here." in text
    assert "Stopped" not in text
