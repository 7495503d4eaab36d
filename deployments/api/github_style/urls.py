"""The addresses under /api/v3. None ends in a slash but the first; whatever else there is not is GitHub's 404."""

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, path

from deployments.api.github_style import deployments, meta, repositories, statuses
from deployments.api.github_style.base import GithubStyleView

# A name may have more than one slash, as those of other hosts do: the longer address comes first.
_REPOSITORY = "repos/<str:owner>/<path:repo>"
_ROUTES: list[tuple[str, type[GithubStyleView], str]] = [
    ("", meta.Root, "root"),
    ("meta", meta.Meta, "meta"),
    ("rate_limit", meta.RateLimit, "rate-limit"),
    ("user", meta.OwnUser, "user"),
    ("users/<str:login>", meta.OneUser, "one-user"),
    ("users/<str:login>/<str:what>", meta.NothingOfUser, "nothing-of-user"),
    (f"{_REPOSITORY}/deployments/<int:id>/statuses/<int:status_id>", statuses.OneStatus, "status"),
    (f"{_REPOSITORY}/deployments/<int:id>/statuses", statuses.Statuses, "statuses"),
    (f"{_REPOSITORY}/deployments/<int:id>", deployments.OneDeployment, "deployment"),
    (f"{_REPOSITORY}/deployments", deployments.Deployments, "deployments"),
    (f"{_REPOSITORY}/dispatches", repositories.Dispatches, "dispatches"),
    (f"{_REPOSITORY}/environments", repositories.Environments, "environments"),
    ("repos/<str:owner>/<str:repo>/environments/<path:name>", repositories.OneEnvironment, "environment"),
    (_REPOSITORY, repositories.Repository, "repository"),
    ("<path:anything>", meta.Nowhere, "nowhere"),
]


def _pattern(route: str, view: type[GithubStyleView], name: str) -> URLPattern:
    # What needs no log-in here needs an API key: see TokenAuthentication.
    return path(route, login_not_required(view.as_view()), name=f"github-style-{name}")


urlpatterns = [
    _pattern("api/v3", meta.Root, "root-without-slash"),
    *(_pattern(f"api/v3/{route}", view, name) for route, view, name in _ROUTES),
]
