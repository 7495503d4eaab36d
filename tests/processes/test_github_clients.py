"""Clients of GitHub at a running server, with nothing but its address and a key."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from github import Auth, Github
from github.GithubException import BadCredentialsException, GithubException, UnknownObjectException

from tests.processes.installation import Installation, wait_until

pytestmark = [pytest.mark.processes, pytest.mark.once]
NODE = Path(__file__).parent.parent / "github_style" / "node"
SHA = "fedcba9876543210fedcba9876543210fedcba98"


@pytest.fixture
def github(installation: Installation) -> Iterator[Github]:
    client = _client(installation, installation.key)
    yield client
    client.close()


def _client(installation: Installation, key: str) -> Github:
    base_url = f"{installation.url}/api/v3"
    return Github(
        base_url=base_url, auth=Auth.Token(key), seconds_between_requests=0, seconds_between_writes=0, retry=None
    )


def _in_metrics(installation: Installation, deployment_id: int) -> Any:
    found = installation.get(f"/v1/deployments/{deployment_id}")
    return found if found["changeKind"] else None


def test_pygithub_finds_its_way(installation: Installation, github: Github) -> None:
    with pytest.raises(UnknownObjectException):
        github.get_repo("acme/pygithub")
    installation.request("POST", "/api/v3/repos/acme/pygithub/deployments", {"ref": SHA, "environment": "qa"})
    repo = github.get_repo("acme/pygithub")
    deployment = repo.create_deployment(
        SHA, task="migrate", auto_merge=False, required_contexts=[], payload={"app": "web"}, environment="staging",
        description="By PyGithub", transient_environment=False, production_environment=False,
    )  # fmt: skip
    assert (deployment.sha, deployment.task, deployment.payload) == (SHA, "migrate", {"app": "web"})
    assert (deployment.environment, deployment.description) == ("staging", "By PyGithub")
    assert deployment.creator.login == github.get_user().login
    assert deployment.created_at <= deployment.updated_at

    status = deployment.create_status(
        "success", target_url="https://ci.example/1", description="done", environment="staging",
        environment_url="https://staging.example", auto_inactive=True,
    )  # fmt: skip
    assert deployment.get_status(status.id).state == "success"
    assert [row.state for row in deployment.get_statuses()] == ["success"]
    assert wait_until(lambda: _in_metrics(installation, deployment.id), 20)["state"] == "success"
    assert [row.id for row in repo.get_deployments(environment="staging", task="migrate")] == [deployment.id]
    assert repo.get_deployment(deployment.id).raw_data["environment"] == "staging"


def test_pygithub_turns_pages(installation: Installation) -> None:
    client = _client(installation, installation.key)
    client.per_page = 2
    for _ in range(5):
        installation.request("POST", "/api/v3/repos/acme/pages/deployments", {"ref": SHA})
    found = client.get_repo("acme/pages").get_deployments()
    ids = [row.id for row in found]

    assert ids == sorted(ids, reverse=True)
    assert found.totalCount == len(ids) == 5
    assert [row.id for row in found.reversed] == ids[::-1]
    client.close()


def test_pygithub_deletes(installation: Installation, github: Github) -> None:
    for _ in range(2):
        _, created = installation.request("POST", "/api/v3/repos/acme/deleting/deployments", {"ref": SHA})
        installation.request(
            "POST", f"/api/v3/repos/acme/deleting/deployments/{created['id']}/statuses", {"state": "success"}
        )
    repo = github.get_repo("acme/deleting")
    first, last = reversed(list(repo.get_deployments()))

    with pytest.raises(GithubException) as refused:
        repo.requester.requestJsonAndCheck("DELETE", last.url)
    assert refused.value.status == 422
    last.create_status("inactive")
    headers, _ = repo.requester.requestJsonAndCheck("DELETE", last.url)
    assert [row.id for row in repo.get_deployments()] == [first.id]
    assert int(headers["x-ratelimit-remaining"]) > 0


def test_pygithub_asks_what_there_is_around(installation: Installation, github: Github) -> None:
    installation.request("POST", "/api/v3/repos/acme/around/deployments", {"ref": SHA, "environment": "review/1"})
    repo = github.get_repo("acme/around")

    assert [row.name for row in repo.get_environments()] == ["review/1"]
    assert repo.get_environment("review/1").name == "review/1"
    repo.delete_environment("review/1")
    assert [row.name for row in repo.get_environments()] == []
    assert repo.create_repository_dispatch("on-demand", {"unit": False})
    assert repo.update() is False, "nothing has changed since"
    assert github.get_rate_limit().resources.core.remaining > 0
    stranger = _client(installation, "nobody")
    with pytest.raises(BadCredentialsException):
        stranger.get_repo("acme/around")
    stranger.close()


@pytest.mark.parametrize("script", ["all_calls.mjs", "actions.mjs"])
def test_octokit_finds_its_way(installation: Installation, script: str) -> None:
    if shutil.which("node") is None or not (NODE / "node_modules").exists():
        pytest.skip("it needs Node, and `npm ci` in tests/github_style/node")
    environment = {**os.environ, "BASE_URL": f"{installation.url}/api/v3", "TOKEN": installation.key}
    ran = subprocess.run(["node", script], cwd=NODE, env=environment, capture_output=True, text=True, timeout=60)

    assert ran.returncode == 0, ran.stdout + ran.stderr
