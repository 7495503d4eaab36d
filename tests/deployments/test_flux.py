"""Flux reports deployments by its generic webhook, in its own words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.api.flux_event import read_event, read_revision
from deployments.models import Deployment, Job, Workspace
from deployments.processing import process_due_jobs
from tests import factories
from tests.machines import Machine

SHA = "731f7eaddfb6af01cb2173e18f0f75b0ba780ef1"
OTHER = "1" * 40
HEALTHY = "Health check passed in 5.032s"
APPLIED = "Deployment/apps/webapp configured"


def make_event(message: str = HEALTHY, *, revision: str = f"main@sha1:{SHA}", **changes: Any) -> dict[str, Any]:
    """Return an event of a Kustomization, as Flux's documentation shows it."""
    metadata = {"revision": revision, "environment": "production", "repositoryFullName": "acme/backend"}
    return {
        "involvedObject": {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "name": "webapp",
            "namespace": "apps",
            "uid": "7d0cdc51-ddcf-4743-b223-83ca5c699632",
        },
        "metadata": {name: text for name, text in (metadata | changes.pop("metadata", {})).items() if text},
        "severity": "info",
        "reason": "Progressing",
        "message": message,
        "reportingController": "kustomize-controller",
        "timestamp": "2026-03-02T12:00:00Z",
        **changes,
    }


def failure(message: str = "health check failed after 30.01s", **changes: Any) -> dict[str, Any]:
    return make_event(message, **{"severity": "error", "reason": "HealthCheckFailed", **changes})


def release(reason: str, **changes: Any) -> dict[str, Any]:
    """Return an event of a HelmRelease."""
    return make_event(
        f"Helm says {reason}",
        revision="6.5.4",
        **{"involvedObject": {"kind": "HelmRelease", "name": "webapp"}, "reason": reason, **changes},
    )


@pytest.fixture
def flux(key: str) -> Machine:
    return Machine(key)


def tell(flux: Machine, *events: dict[str, Any], worker: bool = True) -> list[int]:
    """Post events one after the other, and return the statuses of the answers."""
    statuses = []
    for event in events:
        statuses.append(flux.request("POST", "/v1/deployments/flux", event).status_code)
        if worker:
            process_due_jobs()
    if not worker:
        process_due_jobs()
    return statuses


@pytest.mark.django_db
class TestEvents:
    def test_a_revision_that_became_healthy_is_a_deployment(self, flux: Machine) -> None:
        assert tell(flux, make_event()) == [202]
        deployment = Deployment.objects.select_related("application__repository", "environment").get()
        assert deployment.application.name == "webapp"
        assert deployment.application.repository.full_name == "acme/backend"
        assert deployment.environment.name == "production"
        assert (deployment.version, deployment.commit_sha, deployment.state) == (SHA[:12], SHA, "success")
        assert deployment.description == HEALTHY

    def test_the_events_of_one_revision_are_one_deployment(self, flux: Machine) -> None:
        assert tell(flux, make_event(APPLIED), make_event()) == [202, 202]
        assert [row.state for row in Deployment.objects.get().statuses.order_by("id")] == ["in_progress", "success"]

    @pytest.mark.parametrize("worker", [True, False])
    def test_what_flux_repeats_is_told_once(self, flux: Machine, worker: bool) -> None:
        again = [failure(f"health check failed after {number}.01s") for number in range(30, 33)]
        tell(flux, make_event(APPLIED), *again, worker=worker)
        deployment = Deployment.objects.get()
        assert deployment.state == "failure"
        assert deployment.statuses.count() == 2
        assert Job.objects.count() == 2

    @pytest.mark.parametrize(
        "later",
        [
            pytest.param(make_event(APPLIED), id="a change by hand is undone"),
            pytest.param(make_event(), id="healthy again"),
            pytest.param(failure(), id="unhealthy later"),
            pytest.param(
                make_event("Reconciliation finished in 1s, next run in 10m", reason="ReconciliationSucceeded"),
                id="reconciled",
            ),
        ],
    )
    def test_after_a_success_nothing_more_is_told_of_a_revision(self, flux: Machine, later: dict[str, Any]) -> None:
        assert tell(flux, make_event(), later) == [202, 200]
        assert Deployment.objects.get().state == "success"

    def test_a_return_to_an_earlier_revision_is_a_deployment(self, flux: Machine) -> None:
        revisions = [f"v1.0.0@sha1:{SHA}", f"v1.1.0@sha1:{OTHER}", f"v1.0.0@sha1:{SHA}"]
        assert tell(flux, *[make_event(revision=revision) for revision in revisions]) == [202, 202, 202]
        versions = Deployment.objects.order_by("id").values_list("version", flat=True)
        assert list(versions) == ["v1.0.0", "v1.1.0", "v1.0.0"]

    def test_another_try_that_succeeds_is_another_deployment(self, flux: Machine) -> None:
        tell(flux, failure(), make_event())
        assert list(Deployment.objects.order_by("id").values_list("state", flat=True)) == ["failure", "success"]

    def test_metadata_says_what_the_event_does_not(self, flux: Machine) -> None:
        told = {"app": "shop", "version": "v2", "commitHash": OTHER, "monorepoPath": "shop/", "author": "ada"}
        tell(flux, make_event(metadata=told))
        deployment = Deployment.objects.select_related("application").get()
        assert deployment.application.name == "shop"
        assert (deployment.version, deployment.commit_sha) == ("v2", OTHER)
        assert (deployment.monorepo_path, deployment.author) == ("shop", "ada")

    def test_a_chart_is_deployed_with_the_commit_that_an_annotation_names(self, flux: Machine) -> None:
        assert tell(flux, release("UpgradeSucceeded", metadata={"commitHash": SHA})) == [202]
        assert Deployment.objects.get().version == "6.5.4"

    @pytest.mark.parametrize(
        "event",
        [
            make_event("Dependencies do not meet ready condition", reason="DependencyNotReady"),
            make_event("stored artifact", involvedObject={"kind": "GitRepository", "name": "webapp"}),
            failure("Source not found", revision="", reason="ArtifactFailed"),
            release("RollbackSucceeded"),
            {},
            {"involvedObject": [], "metadata": "x", "message": 1},
        ],
    )
    def test_what_is_no_deployment_is_taken_and_ignored(self, flux: Machine, event: dict[str, Any]) -> None:
        assert tell(flux, event) == [200]
        assert not Job.objects.exists()


@pytest.mark.django_db
class TestRefusals:
    @pytest.mark.parametrize(
        ("event", "fields"),
        [
            (
                make_event(metadata={"environment": "", "repositoryFullName": ""}),
                {"environment", "repositoryFullName"},
            ),
            (make_event(revision="latest@sha256:" + "a" * 64), {"commitHash"}),
            (release("InstallSucceeded"), {"commitHash"}),
            (make_event(metadata={"version": "v" * 71}), {"version"}),
        ],
    )
    def test_what_is_missing_is_named(self, flux: Machine, event: dict[str, Any], fields: set[str]) -> None:
        answer = flux.request("POST", "/v1/deployments/flux", event)
        assert answer.status_code == 422
        assert fields <= {error["field"] for error in answer.json()["errors"]}

    @pytest.mark.parametrize("body", [b"[]", b"3", b'"event"'])
    def test_what_is_no_object_is_422(self, flux: Machine, body: bytes) -> None:
        assert flux.request("POST", "/v1/deployments/flux", body).status_code == 422

    def test_a_key_that_may_not_write_is_403(self, workspace: Workspace) -> None:
        reader = Machine(factories.make_key(workspace, scopes=["deployments:read"]))
        assert reader.request("POST", "/v1/deployments/flux", make_event()).status_code == 403


@pytest.mark.parametrize(
    ("revision", "version", "sha"),
    [
        (f"main@sha1:{SHA}", SHA[:12], SHA),
        (f"v1.4.2@sha1:{SHA}", "v1.4.2", SHA),
        (f"refs/tags/winter@sha1:{SHA}", "winter", SHA),
        (f"refs/heads/main@sha1:{SHA}", SHA[:12], SHA),
        (f"sha1:{SHA}", SHA[:12], SHA),
        (f"main/{SHA}", SHA[:12], SHA),
        (f"feature/x/{SHA}", SHA[:12], SHA),
        ("6.5.4", "6.5.4", ""),
        ("latest@sha256:" + "a" * 64, "latest@sha256:" + "a" * 64, ""),
    ],
)
def test_a_revision_names_a_version_and_a_commit(revision: str, version: str, sha: str) -> None:
    assert read_revision(revision) == (version, sha)


def test_of_an_artifact_the_commit_counts_that_it_was_built_from() -> None:
    event = make_event(revision="v1@sha256:" + "a" * 64, metadata={"originRevision": f"main@sha1:{SHA}"})
    read = read_event(event)
    assert read is not None
    assert read["commitHash"] == SHA


def test_metadata_with_prefixes_is_read_too() -> None:
    event = make_event(revision="", metadata={"kustomize.toolkit.fluxcd.io/revision": f"main/{SHA}"})
    read = read_event(event)
    assert read is not None
    assert read["commitHash"] == SHA


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*make_event(), "x"]), _json))
def test_no_event_breaks_the_reading(changes: dict[str, Any]) -> None:
    body = read_event({**make_event(), **changes})
    assert body is None or body["state"] in ("success", "failure", "in_progress")
