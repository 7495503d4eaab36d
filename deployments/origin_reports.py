"""What something at GitHub tells of a deployment, in the words of the domain."""

import datetime
from dataclasses import dataclass
from typing import Any, Protocol

from deployments.models import Application


@dataclass(frozen=True, slots=True)
class StatusReport:
    """One status in GitHub's history of a deployment."""

    external_id: int
    state: str
    created_at: datetime.datetime
    description: str = ""
    environment: str = ""
    environment_url: str = ""
    log_url: str = ""


@dataclass(frozen=True, slots=True)
class OriginReport:
    """A deployment as something at GitHub tells of it.

    Without `reached_at` it has reached nothing yet, and its statuses say what became of it.
    """

    source: str
    external_id: str
    application: Application
    environment: str
    version: str
    commit_sha: str
    told_at: datetime.datetime
    reached_at: datetime.datetime | None = None
    status: StatusReport | None = None
    author: str = ""
    description: str = ""
    log_url: str = ""
    ref: str = ""
    task: str = ""
    monorepo_path: str | None = None
    is_transient: bool = False
    is_production: bool = False
    # As GitHub has them. `production_environment` is what it was created with, wherever it went.
    payload: Any = None
    original_environment: str = ""
    production_environment: bool | None = None


class Told(Protocol):
    """What can complete a deployment that was heard of from elsewhere."""

    @property
    def author(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def log_url(self) -> str: ...
    @property
    def ref(self) -> str: ...
    @property
    def task(self) -> str: ...
    @property
    def original_environment(self) -> str: ...
    @property
    def payload(self) -> Any: ...
    @property
    def production_environment(self) -> bool | None: ...
    @property
    def monorepo_path(self) -> str | None: ...
