"""The addresses that answers name. Clients follow them, and some refuse those of another host than they asked."""

from urllib.parse import quote, urlsplit

from django.conf import settings
from rest_framework.request import Request

from deployments.models import Deployment, DeploymentStatus, Environment, Repository


def absolute(request: Request, path: str) -> str:
    """Return the address of a path on the host that the client asked, under the scheme that people use."""
    if settings.BASE_URL and urlsplit(settings.BASE_URL).netloc == request.get_host():
        return f"{settings.BASE_URL}{path}"
    return f"{request.scheme}://{request.get_host()}{path}"


def api(request: Request, path: str) -> str:
    """Return the address of something in this API."""
    return absolute(request, f"/api/v3/{path}")


def user(request: Request, login: str) -> str:
    """Return the address of an account."""
    return api(request, f"users/{quote(login, safe='')}")


def repository(request: Request, row: Repository) -> str:
    """Return the address of a repository."""
    return api(request, f"repos/{quote(row.full_name)}")


def deployment(request: Request, row: Deployment) -> str:
    """Return the address of a deployment. Needs application and repository."""
    return f"{repository(request, row.application.repository)}/deployments/{row.pk}"


def status(request: Request, row: DeploymentStatus) -> str:
    """Return the address of a status. Needs the deployment's application and repository."""
    return f"{deployment(request, row.deployment)}/statuses/{row.pk}"


def environment(request: Request, repo: Repository, row: Environment) -> str:
    """Return the address of an environment of a repository."""
    return f"{repository(request, repo)}/environments/{quote(row.name, safe='')}"
