"""Badges: chosen on a page, seen by whoever has the link."""

import datetime as dt
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from deployments.models import Workspace
from metrics.badges import draw
from tests import factories

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314


def link(pages: Client, query: str = "") -> str:
    answer = pages.get(f"/badges/?{query}")
    assert answer.status_code == 200
    return str(answer.context["path"])


def shown(client: Client, path: str) -> list[str]:
    answer: Any = client.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/svg+xml; charset=utf-8")
    return texts(answer.content.decode())


def deploy(workspace: Workspace, app: str, hours: int, environment: str = "production") -> Any:
    track = factories.make_track(workspace, app, environment)
    for minutes in range(3):
        at = factories.recently() - dt.timedelta(minutes=minutes)
        factories.make_change(factories.make_deployment(track, at), hours * factories.HOUR)
    return track


def test_a_badge_is_seen_without_logging_in(pages: Client, workspace: Workspace) -> None:
    deploy(workspace, "api", 3)
    path = link(pages)
    assert shown(Client(), path) == ["lead time", "3 h"]
    assert shown(Client(), link(pages, "metric=change_fail_rate")) == ["change fail rate", "0 %"]


def test_a_badge_is_about_what_was_chosen(pages: Client, workspace: Workspace) -> None:
    api, _ = deploy(workspace, "api", 3), deploy(workspace, "web", 5)
    staging = deploy(workspace, "api", 7, "staging").environment
    team = workspace.teams.create(name="Web")
    team.applications.add(workspace.applications.get(name="web"))
    assert shown(Client(), link(pages, f"application={api.application_id}&label=API")) == ["API", "3 h"]
    assert shown(Client(), link(pages, f"environment={staging.pk}")) == ["lead time", "7 h"]
    assert shown(Client(), link(pages, f"team={team.pk}")) == ["lead time", "5 h"]


def test_where_there_is_nothing_the_badge_says_no_data(pages: Client) -> None:
    assert shown(Client(), link(pages)) == ["lead time", "no data"]


def test_the_page_gives_what_to_copy(pages: Client, workspace: Workspace, settings: Any) -> None:
    settings.BASE_URL = "https://slipway.example"
    track = deploy(workspace, "api", 3)
    answer = pages.get("/badges/", {"application": track.application_id, "label": "a [x] <b>"})
    path = answer.context["path"]
    target = "https://slipway.example/?app=api"
    assert answer.context["markdown"] == (rf"[![a \[x\] \<b\>](https://slipway.example{path})]({target})")
    assert f'href="{target}"' in answer.context["html"]
    assert "a [x] &lt;b&gt;" in answer.context["html"]
    assert "&lt;img" in answer.content.decode()


def test_the_same_choice_has_the_same_link(pages: Client) -> None:
    assert link(pages, "days=7") == link(pages, "days=7") != link(pages, "days=8")


def test_a_badge_may_be_kept_for_a_while_and_is_not_sent_twice(pages: Client, workspace: Workspace) -> None:
    deploy(workspace, "api", 3)
    path = link(pages)
    answer = Client().get(path)
    assert answer["Cache-Control"] == "public, max-age=300"
    assert "Set-Cookie" not in answer
    again = Client().get(path, headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    deploy(workspace, "web", 5000)
    assert Client().get(path, headers={"If-None-Match": answer["ETag"]}).status_code == 200


@pytest.mark.parametrize("token", ["x", "a:b", ".eJx:b", "%00", "é"])
def test_a_link_that_was_not_made_here_shows_that_it_is_not_valid(db: None, client: Client, token: str) -> None:
    answer = client.get(f"/badge/{token}.svg")
    assert (answer.status_code, answer["Content-Type"]) == (404, "image/svg+xml; charset=utf-8")
    assert texts(answer.content.decode()) == ["Slipway", "not valid"]


def test_links_can_be_taken_back_and_new_ones_work(pages: Client, workspace: Workspace) -> None:
    others = factories.make_workspace("Other")
    other = Client()
    other.force_login(factories.make_user(others))
    old, theirs = link(pages), link(other)
    assert pages.post("/badges/revoke/").status_code == 302
    assert Client().get(old).status_code == 404
    assert Client().get(theirs).status_code == 200
    assert Client().get(link(pages)).status_code == 200


def test_a_badge_of_what_is_gone_is_not_valid(pages: Client, workspace: Workspace) -> None:
    team = workspace.teams.create(name="Web")
    path = link(pages, f"team={team.pk}")
    team.delete()
    assert Client().get(path).status_code == 404


@pytest.mark.parametrize("query", ["metric=luck", "days=0", "days=9999", "days=x", f"label={'x' * 61}"])
def test_what_cannot_be_shown_is_told_and_makes_no_link(pages: Client, query: str) -> None:
    answer = pages.get(f"/badges/?{query}")
    assert answer.status_code == 200
    assert "path" not in answer.context
    assert 'class="help error"' in answer.content.decode()


def test_nobody_makes_badges_of_others(pages: Client) -> None:
    track = factories.make_track(factories.make_workspace("Other"))
    assert "path" not in pages.get(f"/badges/?application={track.application_id}").context


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_badge_is_well_formed_and_its_texts_lie_inside(label: str, value: str) -> None:
    picture = draw(label, value)
    root = ET.fromstring(picture)  # noqa: S314
    whole = int(root.attrib["width"])
    left, right = root.iter(f"{SVG}text")
    boxes = [(int(text.attrib["x"]), int(text.attrib["textLength"])) for text in (left, right)]
    assert boxes[0][0] + boxes[0][1] < boxes[1][0]
    assert boxes[1][0] + boxes[1][1] < whole
    assert not re.search("[\x00-\x08]", picture)
