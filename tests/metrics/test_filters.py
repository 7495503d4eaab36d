"""The form above the charts."""

from django.test import Client
from django.utils import timezone

from deployments.models import Workspace
from tests import factories


def test_what_is_chosen_stays_chosen_and_names_are_text(workspace: Workspace, pages: Client) -> None:
    for name in ("web", "<b>&co"):
        factories.make_deployment(factories.make_track(workspace, name), timezone.now())
    told = pages.get("/?app=web&vs.app=%3Cb%3E%26co").content.decode()
    form = told.split('<form class="filters"')[1].split("</form>")[0]
    assert form.count("<option selected>web</option>") == 1
    assert form.count("<option selected>&lt;b&gt;&amp;co</option>") == 1
    assert "<b>&co" not in told
