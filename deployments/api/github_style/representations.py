"""What is shown of things, in GitHub's shape: snake_case, seconds, addresses that can be followed."""

import base64
import datetime
import zlib
from typing import Any

from django.templatetags.static import static
from django.urls import reverse
from django.utils.text import slugify
from rest_framework.request import Request

from deployments.api.github_style import addresses
from deployments.creation import environment_name, is_production
from deployments.models import ApiKey, Deployment, DeploymentState, DeploymentStatus, Environment, Repository
from deployments.names import name_key

_LONGEST_LOGIN = 39
DEFAULT_TASK = "deploy"


def moment(value: datetime.datetime) -> str:
    """Return a moment as GitHub writes it."""
    return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def node_id(kind: str, number: int) -> str:
    """Return GitHub's global id of a thing, of the kind that it gave out until 2021."""
    return base64.b64encode(f"0{len(kind)}:{kind}{number}".encode()).decode()


def login_of(key: ApiKey) -> str:
    """Return what an API key is called where GitHub names an account."""
    return slugify(key.name)[:_LONGEST_LOGIN].strip("-") or f"key-{key.prefix}"


def simple_user(request: Request, login: str, kind: str = "User") -> dict[str, Any]:
    """Return an account. There are no accounts: a deployment, a repository or a key names somebody, no more."""
    number = zlib.crc32(name_key(login).encode())
    url = addresses.user(request, login)
    return {
        "login": login,
        "id": number,
        "node_id": node_id(kind, number),
        "avatar_url": addresses.absolute(request, static("favicon.svg")),
        "gravatar_id": "",
        "url": url,
        "html_url": addresses.absolute(request, "/"),
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": kind,
        "site_admin": False,
    }


def own_user(request: Request, key: ApiKey) -> dict[str, Any]:
    """Return what a key is taken for where a client asks who it is."""
    return {
        **simple_user(request, login_of(key)),
        "name": key.name,
        "company": None,
        "blog": "",
        "location": None,
        "email": None,
        "hireable": None,
        "bio": None,
        "public_repos": 0,
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": moment(key.created_at),
        "updated_at": moment(key.created_at),
    }


def deployment(request: Request, row: Deployment) -> dict[str, Any]:
    """Return a deployment. Needs application, repository and environment, and `last_status_at`."""
    url = addresses.deployment(request, row)
    last_status_at: datetime.datetime | None = row.last_status_at  # type: ignore[attr-defined] # an annotation
    author = row.creator or row.author
    return {
        "url": url,
        "id": row.pk,
        "node_id": node_id("Deployment", row.pk),
        "sha": row.commit_sha,
        "ref": row.ref or row.commit_sha,
        "task": row.task or DEFAULT_TASK,
        "payload": row.payload or {},
        "original_environment": row.original_environment or row.environment.name,
        "environment": environment_name(row),
        "description": row.description or None,
        "creator": simple_user(request, author) if author else None,
        "created_at": moment(row.created_at),
        "updated_at": moment(max(row.created_at, last_status_at or row.created_at)),
        "statuses_url": f"{url}/statuses",
        "repository_url": addresses.repository(request, row.application.repository),
        "transient_environment": row.is_transient,
        "production_environment": is_production(row),
        "performed_via_github_app": None,
    }


def status(request: Request, row: DeploymentStatus) -> dict[str, Any]:
    """Return a status. Needs its deployment with application, repository and environment."""
    of = row.deployment
    # A state that only GitHub's webhooks have: something has still to be approved.
    state = DeploymentState.PENDING if row.state == DeploymentState.WAITING else row.state
    return {
        "url": addresses.status(request, row),
        "id": row.pk,
        "node_id": node_id("DeploymentStatus", row.pk),
        "state": str(state),
        "creator": simple_user(request, row.creator) if row.creator else None,
        "description": row.description,
        "environment": row.environment_name or of.original_environment or of.environment.name,
        "target_url": row.log_url,
        "created_at": moment(row.created_at),
        "updated_at": moment(row.created_at),
        "deployment_url": addresses.deployment(request, of),
        "repository_url": addresses.repository(request, of.application.repository),
        "environment_url": row.environment_url,
        "log_url": row.log_url,
        "performed_via_github_app": None,
    }


def repository(request: Request, row: Repository, *, may_write: bool) -> dict[str, Any]:
    """Return a repository: what is known of it, and only addresses that lead somewhere."""
    url = addresses.repository(request, row)
    changed_at = moment(row.facts_at or row.created_at)
    return {
        "id": row.pk,
        "node_id": node_id("Repository", row.pk),
        "name": row.short_name,
        "full_name": row.full_name,
        "private": True,
        "owner": simple_user(request, row.full_name.rpartition("/")[0] or row.full_name, "Organization"),
        "html_url": addresses.absolute(request, f"{reverse('deployments:deployments')}?repository={row.pk}"),
        "description": None,
        "fork": False,
        "url": url,
        "deployments_url": f"{url}/deployments",
        "homepage": None,
        "language": None,
        "license": None,
        "size": 0,
        "forks": 0,
        "forks_count": 0,
        "stargazers_count": 0,
        "watchers": 0,
        "watchers_count": 0,
        "open_issues": 0,
        "open_issues_count": 0,
        "default_branch": row.default_branch or "main",
        "topics": [],
        "has_issues": False,
        "has_projects": False,
        "has_wiki": False,
        "has_pages": False,
        "has_downloads": False,
        "has_discussions": False,
        "is_template": False,
        "archived": row.is_archived,
        "disabled": False,
        "visibility": "private",
        "pushed_at": changed_at,
        "created_at": moment(row.created_at),
        "updated_at": changed_at,
        "permissions": {"admin": False, "maintain": False, "push": may_write, "triage": False, "pull": True},
    }


def environment(request: Request, repo: Repository, row: Environment) -> dict[str, Any]:
    """Return an environment of a repository. Slipway keeps no rules of protection."""
    return {
        "id": row.pk,
        "node_id": node_id("Environment", row.pk),
        "name": row.name,
        "url": addresses.environment(request, repo, row),
        "html_url": addresses.absolute(request, reverse("deployments:environment", args=[row.pk])),
        "created_at": moment(row.created_at),
        "updated_at": moment(row.created_at),
        "protection_rules": [],
        "deployment_branch_policy": None,
    }
