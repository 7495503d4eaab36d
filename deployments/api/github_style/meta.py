"""What clients ask before anything else: what there is, what is left of the limit, and who they are."""

from typing import Any

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api.github_style import addresses, limits, representations
from deployments.api.github_style.base import NEWEST_VERSION, GithubStyleView, api_version
from deployments.api.throttling import allowance_of
from deployments.throttling import Allowance

# The Enterprise Server whose API for deployments this is: clients choose by it what they ask.
_LIKE_ENTERPRISE_SERVER = "3.17.0"
_OF_USERS = {
    "followers", "following", "gists", "starred", "subscriptions", "orgs", "repos", "events", "received_events",
}  # fmt: skip


class Root(GithubStyleView):
    """GET names what there is. Anybody may ask."""

    is_public = True
    documentation = {"GET": "meta/meta#github-api-root"}

    def get(self, request: Request) -> Response:
        return Response(
            {
                "current_user_url": addresses.api(request, "user"),
                "rate_limit_url": addresses.api(request, "rate_limit"),
                "repository_url": addresses.api(request, "repos/{owner}/{repo}"),
                "user_url": addresses.api(request, "users/{user}"),
            }
        )


class Meta(GithubStyleView):
    """GET tells which version this is like. Anybody may ask."""

    is_public = True
    documentation = {"GET": "meta/meta#get-github-meta-information"}

    def get(self, request: Request) -> Response:
        return Response({"verifiable_password_authentication": False, "installed_version": _LIKE_ENTERPRISE_SERVER})


class RateLimit(GithubStyleView):
    """GET tells what is left of the limits, and is not counted."""

    is_public = True
    documentation = {"GET": "rate-limit/rate-limit#get-rate-limit-status-for-the-authenticated-user"}

    def count(self, request: Request) -> None:
        """Count nothing."""

    def get(self, request: Request) -> Response:
        writes = limits.numbers_of(self._left(request, reads=False))
        reads = limits.numbers_of(self._left(request, reads=True))  # the last one is what the headers say
        shown: dict[str, Any] = {"resources": {limits.READS: reads, limits.WRITES: writes}}
        for name, numbers in shown["resources"].items():
            numbers["resource"] = name
        if api_version(request) != NEWEST_VERSION:
            shown["rate"] = reads
        return Response(shown)

    def _left(self, request: Request, *, reads: bool) -> Allowance | None:
        return None if request.auth is None else allowance_of(request, 0, reads=reads)


class OwnUser(GithubStyleView):
    """GET tells whom a key is taken for."""

    documentation = {"GET": "users/users#get-the-authenticated-user"}

    def get(self, request: Request) -> Response:
        return Response(representations.own_user(request, self.api_key))


class OneUser(GithubStyleView):
    """GET shows an account by its name: whoever a deployment, a status or a repository names."""

    documentation = {"GET": "users/users#get-a-user"}

    def get(self, request: Request, login: str) -> Response:
        return Response(representations.simple_user(request, login))


class NothingOfUser(GithubStyleView):
    """GET answers an empty list: what accounts follow, watch and own is nothing of Slipway's."""

    documentation = {"GET": "users/users#get-a-user"}

    def get(self, request: Request, login: str, what: str) -> Response:
        if what not in _OF_USERS:
            raise Http404
        return Response([])


class Nowhere(GithubStyleView):
    """Whatever there is not: GitHub's 404."""

    is_public = True

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise Http404
