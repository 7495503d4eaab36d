"""The calendar, the settings that change numbers, and that each change of them is noted."""

import datetime as dt

import pytest
from django.test import Client

from deployments.models import FreezePeriod, RuleChange, User, Workspace
from tests import factories


def noted() -> list[str]:
    return [row.summary for row in RuleChange.objects.order_by("pk")]


def settings_of(workspace: Workspace, **fields: str) -> dict[str, str]:
    return {"name": workspace.name, "time_zone": workspace.time_zone, "report_year": "2024", **fields}


class TestCalendar:
    def test_working_days_are_chosen(self, pages: Client, workspace: Workspace, person: User) -> None:
        assert pages.get("/settings/calendar/").content.decode().count(" checked") == 7
        pages.post("/settings/calendar/", {"working_days": ["5", "1", "2", "3", "4"]})
        workspace.refresh_from_db()
        assert workspace.working_days == [1, 2, 3, 4, 5]
        assert noted() == ["Working days: every day → Mon, Tue, Wed, Thu, Fri"]
        assert RuleChange.objects.get().made_by == person
        assert pages.get("/settings/calendar/").content.decode().count(" checked") == 5

    def test_the_same_days_again_are_no_change(self, pages: Client, workspace: Workspace) -> None:
        pages.post("/settings/calendar/", {"working_days": [str(day) for day in range(1, 8)]})
        assert noted() == []

    @pytest.mark.parametrize("days", [[], ["8"], ["x"], ["0", "1"]])
    def test_what_are_no_working_days_is_refused(self, pages: Client, workspace: Workspace, days: list[str]) -> None:
        text = pages.post("/settings/calendar/", {"working_days": days}).content.decode()
        assert "At least one day has to be a working day." in text or "Select a valid choice" in text
        workspace.refresh_from_db()
        assert workspace.working_days == list(range(1, 8))
        assert noted() == []

    def test_freeze_periods_are_added_listed_and_removed(
        self, pages: Client, workspace: Workspace, person: User
    ) -> None:
        first = {"first_day": "2026-12-20", "last_day": "2027-01-03", "reason": "Code freeze"}
        second = {"first_day": "2026-12-25", "last_day": "2026-12-25", "reason": "Christmas"}  # they may overlap
        pages.post("/settings/calendar/", first)
        text = pages.post("/settings/calendar/", second, follow=True).content.decode()
        for expected in ("20 Dec 2026", "3 Jan 2027", "Code freeze", "Christmas"):
            assert expected in text
        freeze = FreezePeriod.objects.get(reason="Code freeze")
        assert (freeze.workspace, freeze.first_day) == (workspace, dt.date(2026, 12, 20))
        pages.post(f"/settings/calendar/{freeze.pk}/remove/")
        assert [row.reason for row in FreezePeriod.objects.all()] == ["Christmas"]
        assert noted() == [
            "Freeze period added: Code freeze (2026-12-20 to 2027-01-03)",
            "Freeze period added: Christmas (2026-12-25)",
            "Freeze period removed: Code freeze (2026-12-20 to 2027-01-03)",
        ]

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            (
                {"first_day": "2026-12-26", "last_day": "2026-12-25", "reason": "x"},
                "Must not lie before the first day.",
            ),
            ({"first_day": "2026-01-01", "last_day": "2027-06-01", "reason": "x"}, "A period has at most 366 days."),
            ({"first_day": "0001-01-01", "last_day": "0001-01-02", "reason": "x"}, "Must lie between 1971 and 2199."),
            ({"first_day": "soon", "last_day": "2026-12-25", "reason": "x"}, "Enter a valid date."),
            ({"first_day": "2026-12-25", "last_day": "2026-12-25", "reason": " "}, "This field is required."),
            ({"first_day": "2026-12-25", "last_day": "2026-12-25", "reason": "x" * 201}, "at most 200 characters"),
        ],
    )
    def test_what_is_no_freeze_period_is_refused(self, pages: Client, fields: dict[str, str], message: str) -> None:
        assert message in pages.post("/settings/calendar/", fields).content.decode()
        assert not FreezePeriod.objects.exists()
        assert noted() == []

    def test_those_of_others_are_not_there(self, pages: Client) -> None:
        other = factories.make_workspace("Other")
        day = dt.date(2026, 5, 1)
        freeze = FreezePeriod.objects.create(workspace=other, first_day=day, last_day=day, reason="Theirs")
        assert "Theirs" not in pages.get("/settings/calendar/").content.decode()
        assert pages.post(f"/settings/calendar/{freeze.pk}/remove/").status_code == 404


class TestSettings:
    def test_each_setting_that_changes_numbers_is_noted(
        self, pages: Client, workspace: Workspace, person: User
    ) -> None:
        pages.post(
            "/settings/", settings_of(workspace, time_zone="Europe/Berlin", bot_names="Jenkins, snyk\nJENKINS")
        )
        pages.post(
            "/settings/",
            settings_of(workspace, time_zone="Europe/Berlin", bot_names="Jenkins", count_redeploys="on"),
        )
        pages.post(
            "/settings/",
            settings_of(workspace, time_zone="Europe/Berlin", include_merge_commits="on", bot_names=""),
        )
        assert noted() == [
            "Time zone: UTC → Europe/Berlin; bots: none → Jenkins, snyk",
            "Redeploys count: no → yes; bots: Jenkins, snyk → Jenkins",
            "Redeploys count: yes → no; merge commits count: no → yes; bots: Jenkins → none",
        ]
        assert {row.made_by for row in RuleChange.objects.all()} == {person}

    def test_what_changes_no_number_is_not_noted(self, pages: Client, workspace: Workspace) -> None:
        answer = pages.post(
            "/settings/",
            settings_of(workspace, name="Acme 2", report_year="2023", incident_labels="incident, outage"),
        )
        assert answer.status_code == 302
        workspace.refresh_from_db()
        assert (workspace.name, workspace.report_year) == ("Acme 2", 2023)
        assert noted() == []

    def test_a_report_that_there_is_not_is_refused_and_none_leaves_it(
        self, pages: Client, workspace: Workspace
    ) -> None:
        said = pages.post("/settings/", settings_of(workspace, report_year="1999")).content.decode()
        assert "Select a valid choice" in said
        pages.post("/settings/", settings_of(workspace, report_year=""))
        workspace.refresh_from_db()
        assert workspace.report_year == 2024

    def test_many_bots_are_noted_in_short(self, pages: Client, workspace: Workspace) -> None:
        pages.post("/settings/", settings_of(workspace, bot_names="\n".join(f"bot-{n}" for n in range(200))))
        [summary] = noted()
        assert len(summary) == 500
        assert summary.endswith("…")
        pages.post("/settings/", settings_of(workspace, bot_names="\n".join(f"bot-{n}" for n in range(201))))
        assert len(noted()) == 1

    def test_another_path_and_another_production_are_noted(
        self, pages: Client, workspace: Workspace, person: User
    ) -> None:
        track = factories.make_track(workspace, "api", "staging")
        path = f"/applications/{track.application_id}/"
        pages.post(path, {"monorepo_path": "services/api", "monorepo_path_is_pinned": "on"})
        pages.post(path, {"monorepo_path": "services/api/"})
        pages.post(f"/environments/{track.environment_id}/", {"is_production": "on"})
        assert noted() == ["api, monorepo path: none → services/api", "staging, is production: no → yes"]
        assert {row.made_by for row in RuleChange.objects.all()} == {person}


def test_what_operators_change_is_noted_too(client: Client, workspace: Workspace) -> None:
    operator = User.objects.create_superuser("op@example.com", "x")
    client.force_login(operator)
    day = {"workspace": str(workspace.pk), "first_day": "2026-05-01", "last_day": "2026-05-01", "reason": "May Day"}
    client.post("/admin/deployments/freezeperiod/add/", day)
    freeze = FreezePeriod.objects.get()
    client.post(f"/admin/deployments/freezeperiod/{freeze.pk}/change/", {**day, "last_day": "2026-05-02"})
    client.post(f"/admin/deployments/freezeperiod/{freeze.pk}/change/", {**day, "last_day": "2026-05-02"})
    client.post(
        "/admin/deployments/freezeperiod/",
        {"action": "delete_selected", "_selected_action": [freeze.pk], "post": "yes"},
    )
    track = factories.make_track(workspace, "api", "staging")
    client.post(
        f"/admin/deployments/environment/{track.environment_id}/change/",
        {"workspace": str(workspace.pk), "name": "staging", "is_production": "on"},
    )
    assert noted() == [
        "Freeze period added: May Day (2026-05-01)",
        "Freeze period changed: May Day (2026-05-01 to 2026-05-02)",
        "Freeze period removed: May Day (2026-05-01 to 2026-05-02)",
        "staging, is production: no → yes",
    ]
    assert {row.made_by for row in RuleChange.objects.all()} == {operator}
