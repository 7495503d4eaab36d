"""Subscribers are told of what happens: of everything that is reported live, and of nothing else."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from deployments import incidents
from deployments.catalog import Catalog
from deployments.github import events
from deployments.models import (
    DeliveryState,
    Deployment,
    Incident,
    Repository,
    WebhookDelivery,
    WebhookSubscription,
    Workspace,
)
from deployments.signals import reading_history, repository_dispatched
from deployments.webhooks import outbox
from tests.deployments.receivers import Receiver
from tests.factories import HOUR, make_workspace, recently
from tests.github.hooks import Repo
from tests.machines import Machine
from tests.webhooks.deliveries import deliver, is_signed, payloads, subscribe

pytestmark = pytest.mark.django_db


def told(event: str = "") -> list[str]:
    """Return what was written to be delivered, in order."""
    rows = WebhookDelivery.objects.order_by("id")
    return [f"{row.event}.{row.action}" for row in rows if not event or row.event == event]


def incident_told(workspace: Workspace) -> list[str]:
    return [action.partition(".")[2] for action in told("incident")]


def test_a_deployment_is_told_in_githubs_shape_with_what_slipway_knows(
    workspace: Workspace, machine: Machine, receiver: Receiver
) -> None:
    subscribe(workspace, receiver)
    deployment = machine.deploy(author="jane-doe", description="A fix", logUrl="https://ci.example/7")
    assert told() == ["deployment.created", "deployment_status.created"]
    deliver()

    for _, headers, body in receiver.got:
        assert is_signed(headers, body)
    begun, ended = payloads(receiver, "deployment")[0], payloads(receiver, "deployment_status")[0]
    shown = machine.get(f"/v1/deployments/{deployment.pk}").json()
    base = "https://slipway.example/api/v3/repos/acme/backend"
    for payload in (begun, ended):
        assert payload["action"] == "created"
        assert payload["deployment"]["id"] == deployment.pk
        assert payload["deployment"]["sha"] == deployment.commit_sha
        assert payload["deployment"]["environment"] == "production"
        assert payload["deployment"]["url"] == f"{base}/deployments/{deployment.pk}"
        assert payload["repository"]["full_name"] == "acme/backend"
        assert payload["sender"]["login"] == "jane-doe"
        facts = payload["slipway"]
        assert facts["changeKind"] == "baseline", "what was worked out since is told too"
        assert facts["failed"] is False
        assert {name: shown[name] for name in facts if name in shown} == {
            name: value for name, value in facts.items() if name in shown
        }
    assert ended["deployment_status"]["state"] == "success"
    assert ended["deployment_status"]["log_url"] == "https://ci.example/7"


def test_each_status_is_told_but_for_inactive(workspace: Workspace, machine: Machine, receiver: Receiver) -> None:
    subscribe(workspace, receiver)
    for state in ("in_progress", "in_progress", "success", "inactive"):
        machine.deploy(state=state)
    deliver()
    assert len(payloads(receiver, "deployment")) == 1
    states = {payload["deployment_status"]["state"] for payload in payloads(receiver, "deployment_status")}
    assert states == {"in_progress", "success"}
    assert len(told("deployment_status")) == 2


def test_githubs_own_deployments_are_told_once(workspace: Workspace, receiver: Receiver) -> None:
    subscribe(workspace, receiver)
    repo, now = Repo("acme/shop", 7), recently()
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    event, payload = repo.deployment_status(1, "c1", "success", 1)
    payload["deployment"]["created_at"] = payload["deployment_status"]["created_at"] = stamp
    for _ in range(2):  # delivered twice
        with transaction.atomic():
            events.handle(Catalog(workspace), event, payload, now)
    assert told() == ["deployment.created", "deployment_status.created"]


def test_what_is_read_from_the_past_is_told_to_nobody(
    workspace: Workspace, machine: Machine, receiver: Receiver
) -> None:
    subscribe(workspace, receiver)
    long_ago = (recently() - dt.timedelta(days=2)).isoformat()
    machine.deploy(version="v1", deployedAt=long_ago)
    machine.post(
        "/v1/incidents",
        {"title": "Old", "app": "backend-api", "environment": "production", "startedAt": long_ago,
         "resolvedAt": (recently() - dt.timedelta(days=1, hours=20)).isoformat()},
    )  # fmt: skip
    with reading_history():
        machine.deploy(version="v2")
    assert told() == []
    machine.deploy(version="v3", deployedAt=recently().isoformat())
    assert told() == ["deployment.created", "deployment_status.created"]


def test_nothing_is_told_of_what_was_rolled_back(workspace: Workspace, machine: Machine, receiver: Receiver) -> None:
    subscribe(workspace, receiver)
    machine.deploy()
    WebhookDelivery.objects.all().delete()
    with pytest.raises(RuntimeError), transaction.atomic():
        incidents.open_incident(workspace, title="Down", started_at=recently())
        assert told() == ["incident.opened"]
        raise RuntimeError
    assert told() == []
    assert not Incident.objects.exists()


def test_each_act_on_an_incident_is_told(workspace: Workspace, machine: Machine, receiver: Receiver) -> None:
    deployed_at = recently() - HOUR
    deployment = machine.deploy(deployedAt=deployed_at.isoformat())
    subscribe(workspace, receiver)
    body = {"title": "Down", "app": "backend-api", "environment": "production", "startedAt": recently().isoformat()}
    address = f"/v1/incidents/{machine.post('/v1/incidents', body).json()['id']}"
    machine.request("PATCH", address, {"title": "Checkout is down"})
    machine.request("PATCH", address, {"title": "Checkout is down"})  # says nothing new
    machine.request("PATCH", address, {"resolvedAt": dt.datetime.now(dt.UTC).isoformat()})
    machine.request("PATCH", address, {"resolvedAt": None})
    machine.request("DELETE", address)
    machine.post(f"{address}/restore")
    assert incident_told(workspace) == ["opened", "edited", "resolved", "reopened", "withdrawn", "restored"]

    deliver()
    last = payloads(receiver, "incident")
    assert {payload["incident"]["id"] for payload in last} == {int(address.rpartition("/")[2])}
    assert all(payload["incident"]["causeDeployment"] == deployment.pk for payload in last)
    assert last[-1]["repository"]["full_name"] == "acme/backend"
    shown = machine.get(address).json()
    assert next(one for one in last if one["action"] == "restored")["incident"] == shown


def test_an_issue_that_becomes_an_incident_is_told(workspace: Workspace, receiver: Receiver) -> None:
    subscribe(workspace, receiver)
    repository = Repository.objects.create(workspace=workspace, full_name="acme/backend")

    def issue(hours: int, *labels: str, closed: bool = False) -> None:
        moment = recently() + hours * HOUR / 60
        facts = incidents.IssueFacts(
            1,
            "Down",
            "https://github.com/acme/backend/issues/1",
            labels,
            recently(),
            moment if closed else None,
            moment,
        )
        with transaction.atomic():
            incidents.record_issue(repository, facts)

    issue(1, "bug")
    issue(2, "bug", "incident")
    issue(3, "bug", "incident", closed=True)
    issue(4, "bug", "incident")
    issue(5, "bug")
    issue(6, "incident")
    assert incident_told(workspace)[0] == "opened"
    assert incident_told(workspace)[-4:] == ["resolved", "reopened", "withdrawn", "restored"]


def test_a_dispatch_is_told_with_its_payload(workspace: Workspace, receiver: Receiver) -> None:
    subscribe(workspace, receiver)
    repository = Repository.objects.create(workspace=workspace, full_name="acme/backend", default_branch="trunk")
    repository_dispatched.send(
        sender=None, repository=repository, event_type="rebuild", client_payload={"why": ["é"]}, login="ci"
    )
    deliver()
    payload = payloads(receiver, "repository_dispatch")[0]
    assert (payload["action"], payload["branch"], payload["client_payload"]) == ("rebuild", "trunk", {"why": ["é"]})
    assert payload["sender"]["login"] == "ci"


def test_only_what_was_subscribed_to_is_told_and_only_to_the_workspaces_own(
    workspace: Workspace, machine: Machine, receiver: Receiver
) -> None:
    subscribe(workspace, receiver, events=["deployment_status"], path="/mine")
    both = subscribe(workspace, receiver, path="/both")
    subscribe(workspace, receiver, is_active=False, path="/off")
    subscribe(make_workspace("Globex"), receiver, path="/stranger")
    machine.deploy()
    deliver()
    assert sorted(path for path, _, _ in receiver.got) == ["/both", "/both", "/mine"]
    guids = {headers["x-github-delivery"] for _, headers, _ in receiver.got}
    assert len(guids) == 2, "an event has the same GUID for all"
    assert both.deliveries.count() == 2


def test_a_delivery_waits_until_what_it_tells_is_worked_out_but_not_for_ever(
    workspace: Workspace, machine: Machine, receiver: Receiver
) -> None:
    subscribe(workspace, receiver)
    machine.deploy()
    Deployment.objects.update(lineage_pending=True)
    WebhookDelivery.objects.filter(event="deployment").delete()
    deliver()
    assert receiver.got == []
    WebhookDelivery.objects.update(
        created_at=recently(), next_attempt_at=recently(), payload=WebhookDelivery.objects.get().payload
    )
    deliver()
    assert payloads(receiver)[0]["slipway"]["changeKind"] is None


def test_nobody_to_tell_costs_one_question_for_each_report(
    workspace: Workspace, machine: Machine, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        assert outbox.subscribers(workspace.pk) == []


def test_the_bell_rings_once_the_change_is_stored(
    workspace: Workspace, receiver: Receiver, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    subscribe(workspace, receiver)
    with django_capture_on_commit_callbacks() as callbacks:
        incidents.open_incident(workspace, title="Down", started_at=recently())
    assert len(callbacks) == 1
    assert WebhookDelivery.objects.get().state == DeliveryState.WAITING
    assert WebhookSubscription.objects.get().failing_since is None
