"""The pages of incidents: people open, link, resolve, change and withdraw them."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from deployments.models import Incident, User, Workspace
from tests.factories import HOUR, NOON, make_deployment, make_track, make_user, make_workspace

pytestmark = pytest.mark.django_db


def make_incident(workspace: Workspace, title: str = "Checkout is down", **fields: Any) -> Incident:
    return Incident.objects.create(
        workspace=workspace, title=title, **{"started_at": NOON, "source": "person", **fields}
    )


def text_of(answer: Any) -> str:
    assert answer.status_code == 200, answer.content[:500]
    return " ".join(answer.content.decode().split())


class TestTheList:
    def test_the_open_ones_stand_first(self, pages: Client, workspace: Workspace) -> None:
        make_incident(workspace, "over", started_at=NOON + HOUR, resolved_at=NOON + 3 * HOUR)
        make_incident(workspace, "open-old", started_at=NOON - HOUR)
        make_incident(workspace, "open-new")

        text = text_of(pages.get("/incidents/"))

        assert text.index("open-new") < text.index("open-old") < text.index("over")
        assert "2 h" in text

    def test_it_shows_where_from_and_the_cause(self, pages: Client, workspace: Workspace) -> None:
        cause = make_deployment(make_track(workspace, app="shop"), version="v7")
        make_incident(workspace, cause=cause, source="api")

        text = text_of(pages.get("/incidents/"))

        assert f'<a href="/deployments/{cause.pk}/">v7</a>' in text
        assert ">shop</td>" in text
        assert ">API</td>" in text

    def test_it_is_narrowed_down_by_application_and_state(self, pages: Client, workspace: Workspace) -> None:
        api, web = make_track(workspace).application, make_track(workspace, app="web")
        make_incident(workspace, "of-api", application=api)
        make_incident(workspace, "of-web", cause=make_deployment(web), resolved_at=NOON)

        of_web = text_of(pages.get(f"/incidents/?application={web.application_id}"))
        still_open = text_of(pages.get("/incidents/?state=open"))

        assert ("of-web" in of_web, "of-api" in of_web) == (True, False)
        assert ("of-web" in still_open, "of-api" in still_open) == (False, True)
        assert "No incident fits" in text_of(pages.get(f"/incidents/?application={api.pk}&state=resolved"))

    @pytest.mark.parametrize(
        "query", ["page=x", "page=99", "application=x", "state=x", "application=1%00", "page=-1"]
    )
    def test_whatever_the_address_says_there_is_a_page(self, pages: Client, workspace: Workspace, query: str) -> None:
        make_incident(workspace)
        assert pages.get(f"/incidents/?{query}").status_code == 200

    def test_it_is_in_pages(self, pages: Client, workspace: Workspace) -> None:
        for number in range(55):
            make_incident(workspace, f"no-{number:02}-", started_at=NOON + number * HOUR)

        assert "no-04-" not in (first := text_of(pages.get("/incidents/")))
        assert "?page=2" in first
        assert "no-04-" in text_of(pages.get("/incidents/?page=2"))

    def test_it_takes_as_many_queries_however_long_it_is(
        self, pages: Client, workspace: Workspace, django_assert_max_num_queries: Any, django_assert_num_queries: Any
    ) -> None:
        make_incident(workspace, cause=make_deployment(make_track(workspace)))
        pages.get("/incidents/")
        with django_assert_max_num_queries(8) as few:
            pages.get("/incidents/")
        for number in range(10):
            track = make_track(workspace, app=f"a{number}")
            make_incident(workspace, application=track.application, cause=make_deployment(track))
        with django_assert_num_queries(len(few)):
            pages.get("/incidents/")


class TestAdding:
    def test_times_are_those_of_the_workspace(self, pages: Client, workspace: Workspace, person: User) -> None:
        workspace.time_zone = "Asia/Kolkata"
        workspace.save()
        track = make_track(workspace)
        facts = {
            "title": "Down",
            "application": track.application_id,
            "environment": track.environment_id,
            "started_at": "2026-03-02T12:30",
            "resolved_at": "2026-03-02T14:00:30",
        }

        answer = pages.post("/incidents/add/", facts)

        row = Incident.objects.get()
        assert answer["Location"] == f"/incidents/{row.pk}/"
        assert row.started_at == dt.datetime(2026, 3, 2, 7, 0, tzinfo=dt.UTC)
        assert row.resolved_at == dt.datetime(2026, 3, 2, 8, 30, 30, tzinfo=dt.UTC)
        assert (row.source, row.created_by, row.repository) == ("person", person, track.application.repository)
        assert "2 Mar 2026, 12:30" in text_of(pages.get(answer["Location"]))

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"title": ""}, "This field is required."),
            ({"title": "x" * 501}, "at most 500 characters"),
            ({"started_at": ""}, "This field is required."),
            ({"started_at": "soon"}, "Must be a date and a time"),
            ({"started_at": "1969-01-01T12:00"}, "Must lie after 1970."),
            ({"started_at": "2999-01-01T12:00"}, "more than 10 minutes ahead"),
            ({"started_at": "0001-01-01T00:00"}, "Must"),
            ({"started_at": "2026-03-29T02:30"}, "the clocks were put forward"),
            ({"resolved_at": "2026-03-02T11:00"}, "Must not lie before it began."),
            ({"url": "javascript:alert(1)"}, "Must begin with http:// or https://."),
            ({"application": "999999"}, "Select a valid choice"),
            ({"environment": "x"}, "Select a valid choice"),
        ],
    )
    def test_what_cannot_be_taken_is_said(
        self, pages: Client, workspace: Workspace, fields: dict[str, str], message: str
    ) -> None:
        workspace.time_zone = "Europe/Berlin"
        workspace.save()

        answer = pages.post("/incidents/add/", {"title": "Down", "started_at": "2026-03-02T12:30", **fields})

        assert message in text_of(answer)
        assert not Incident.objects.exists()

    def test_one_is_reported_from_the_page_of_the_deployment_that_caused_it(
        self, pages: Client, workspace: Workspace
    ) -> None:
        cause = make_deployment(make_track(workspace), version="v7")
        path = f"/incidents/add/?cause={cause.pk}"
        assert path in text_of(pages.get(f"/deployments/{cause.pk}/"))
        assert "v7" in text_of(pages.get(path))

        pages.post(path, {"title": "Down", "started_at": "2026-03-02T12:30"})

        row = Incident.objects.get()
        assert (row.cause, row.cause_is_pinned, row.application) == (cause, True, cause.application)
        assert f"/incidents/{row.pk}/" in text_of(pages.get(f"/deployments/{cause.pk}/"))


class TestOne:
    def post(self, pages: Client, row: Incident, act: str, **data: Any) -> Incident:
        answer = pages.post(f"/incidents/{row.pk}/{act}/", data)
        assert answer.status_code == 302
        row.refresh_from_db()
        assert pages.get(f"/incidents/{row.pk}/").status_code == 200
        return row

    def test_it_is_resolved_reopened_withdrawn_and_restored(self, pages: Client, workspace: Workspace) -> None:
        row = make_incident(workspace)

        assert self.post(pages, row, "resolve").resolved_at is not None
        assert self.post(pages, row, "reopen").resolved_at is None
        assert self.post(pages, row, "withdraw").is_withdrawn is True
        assert "Checkout" not in text_of(pages.get("/incidents/"))
        assert "Checkout" in text_of(pages.get("/incidents/?withdrawn=yes"))
        assert self.post(pages, row, "restore").is_withdrawn is False

    def test_a_deployment_from_around_its_beginning_is_linked(self, pages: Client, workspace: Workspace) -> None:
        track = make_track(workspace)
        near = make_deployment(track, NOON - 30 * HOUR, version="near")
        make_deployment(track, NOON - 24 * 20 * HOUR, version="far-before")
        make_deployment(track, NOON + 24 * HOUR, version="long-after")
        make_deployment(make_track(workspace, app="web"), NOON - HOUR, version="of-another")
        make_deployment(make_track(workspace, environment="staging"), NOON - HOUR, version="staged")
        row = make_incident(workspace, application=track.application)

        text = text_of(pages.get(f"/incidents/{row.pk}/"))
        assert [name for name in ("near", "far-before", "long-after", "of-another", "staged") if name in text] == [
            "near"
        ]
        linked = self.post(pages, row, "link", deployment=near.pk)
        assert (linked.cause, linked.cause_is_pinned) == (near, True)
        none = self.post(pages, row, "link", deployment="none")
        assert (none.cause, none.cause_is_pinned) == (None, True)
        assert self.post(pages, row, "link", deployment="auto").cause_is_pinned is False

    def test_only_a_deployment_of_the_workspace_is_linked(self, pages: Client, workspace: Workspace) -> None:
        theirs = make_deployment(make_track(make_workspace("Globex")))
        row = make_incident(workspace)

        for said in (theirs.pk, "x", "", "9" * 30, "²"):
            assert self.post(pages, row, "link", deployment=said).cause_is_pinned is False

    def test_what_is_not_changed_stays_to_the_microsecond(self, pages: Client, workspace: Workspace) -> None:
        workspace.time_zone = "Europe/Berlin"
        workspace.save()
        # The second of two hours that are both called 2:30.
        began = dt.datetime(2025, 10, 26, 1, 30, 0, 123, tzinfo=dt.UTC)
        row = make_incident(workspace, started_at=began)
        assert 'value="2025-10-26T02:30:00"' in text_of(pages.get(f"/incidents/{row.pk}/change/"))

        changed = self.post(pages, row, "change", title="Slow", started_at="2025-10-26T02:30:00", resolved_at="")

        assert (changed.title, changed.started_at, changed.resolved_at) == ("Slow", began, None)

    def test_a_github_issue_decides_for_itself(self, pages: Client, workspace: Workspace) -> None:
        track = make_track(workspace)
        row = make_incident(
            workspace, source="github", external_id="7", url="https://github.com/acme/shop/issues/1",
            repository=track.application.repository,
        )  # fmt: skip

        text = text_of(pages.get(f"/incidents/{row.pk}/"))
        assert 'href="https://github.com/acme/shop/issues/1"' in text
        assert "The GitHub issue decides" in text
        assert "/resolve/" not in text
        for act in ("resolve", "withdraw", "reopen", "restore"):
            same = self.post(pages, row, act)
            assert (same.resolved_at, same.is_withdrawn) == (None, False)
        told = self.post(pages, row, "change", application=track.application_id, title="Mine", environment="")
        assert (told.application, told.title) == (track.application, "Checkout is down")
        assert self.post(pages, row, "link", deployment=make_deployment(track).pk).cause_is_pinned is True

    @pytest.mark.parametrize("act", ["", "change/", "link/", "resolve/", "reopen/", "withdraw/", "restore/"])
    def test_nobody_else_sees_or_changes_it(self, client: Client, workspace: Workspace, act: str) -> None:
        row = make_incident(workspace)
        client.force_login(make_user(make_workspace("Globex")))
        path = f"/incidents/{row.pk}/{act}"

        assert "Checkout" not in text_of(client.get("/incidents/"))
        assert client.post(path, {"title": "Mine", "deployment": "none"}).status_code == 404
        assert act not in ("", "change/") or client.get(path).status_code == 404
        assert client.get(f"/incidents/{10**30}/").status_code == 404

    def test_it_takes_as_many_queries_however_much_was_deployed(
        self, pages: Client, workspace: Workspace, django_assert_max_num_queries: Any, django_assert_num_queries: Any
    ) -> None:
        track = make_track(workspace)
        row = make_incident(workspace, cause=make_deployment(track))
        pages.get(f"/incidents/{row.pk}/")
        with django_assert_max_num_queries(9) as few:
            pages.get(f"/incidents/{row.pk}/")
        for number in range(30):
            make_deployment(make_track(workspace, app=f"a{number}"))
        with django_assert_num_queries(len(few)):
            assert text_of(pages.get(f"/incidents/{row.pk}/")).count(' caused it"') == 20
