"""A client of GitHub's API, for tests: speaks of one repository."""

import hashlib
from typing import Any

from tests.machines import Machine

SHA = hashlib.sha1(b"main", usedforsecurity=False).hexdigest()
DOCUMENTATION = "https://docs.github.com/rest"


class GithubClient(Machine):
    """A program with an API key that takes Slipway for GitHub."""

    def __init__(self, key: str | None = None, full_name: str = "acme/shop") -> None:
        super().__init__(key)
        self.repo = f"/api/v3/repos/{full_name}"
        self.deployments = f"{self.repo}/deployments"

    def path(self, deployment_id: int) -> str:
        return f"{self.deployments}/{deployment_id}"

    def try_create(self, **fields: Any) -> Any:
        """Ask for a deployment, of a hash unless a ref is named, and return the answer."""
        return self.post(self.deployments, {"ref": SHA, **fields})

    def create(self, **fields: Any) -> dict[str, Any]:
        """Create a deployment and return it."""
        answer = self.try_create(**fields)
        assert answer.status_code == 201, answer.content
        body: dict[str, Any] = answer.json()
        return body

    def try_status(self, deployment_id: int, **fields: Any) -> Any:
        return self.post(f"{self.path(deployment_id)}/statuses", fields)

    def status(self, deployment_id: int, state: str, **fields: Any) -> dict[str, Any]:
        """Add a status and return it."""
        answer = self.try_status(deployment_id, state=state, **fields)
        assert answer.status_code == 201, answer.content
        body: dict[str, Any] = answer.json()
        return body

    def deploy(self, *states: str, **fields: Any) -> Any:
        """Create a deployment, add statuses to it, and return it."""
        created = self.create(**fields)
        for state in states or ("success",):
            self.status(created["id"], state)
        return created

    def state_of(self, deployment_id: int) -> str:
        """Return the current state, as clients ask for it."""
        newest = self.get(f"{self.path(deployment_id)}/statuses?per_page=1").json()
        return str(newest[0]["state"]) if newest else ""

    def states_of(self, deployment_id: int) -> list[str]:
        """Return the history of states, the oldest first."""
        rows = self.get(f"{self.path(deployment_id)}/statuses?per_page=100").json()
        return [row["state"] for row in reversed(rows)]

    def ids(self, query: str = "") -> list[int]:
        """Return the ids of a list, as it is ordered."""
        return [row["id"] for row in self.get(f"{self.deployments}{query}").json()]


def assert_error(answer: Any, status: int, message: str) -> dict[str, Any]:
    """Assert that an answer is an error in GitHub's shape, and return its body."""
    assert answer.status_code == status, answer.content[:500]
    assert answer["Content-Type"] == "application/json; charset=utf-8"
    body: dict[str, Any] = answer.json()
    assert body["message"] == message
    assert body["status"] == str(status)
    assert body["documentation_url"].startswith(DOCUMENTATION)
    return body


def assert_custom(answer: Any, resource: str, field: str, message: str) -> None:
    """Assert that an answer refuses the content of a field, in GitHub's words."""
    body = assert_error(answer, 422, "Validation Failed")
    assert body["errors"] == [{"resource": resource, "code": "custom", "field": field, "message": message}]
