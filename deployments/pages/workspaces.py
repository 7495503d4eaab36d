"""Which workspace a page is about, and how people log in."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from deployments import throttling
from deployments.api.problems import is_api
from deployments.api.throttling import address_of
from deployments.models import Workspace

_SESSION_KEY = "workspace"


class WorkspaceMiddleware:
    """Sets `request.workspace` for people who are logged in: the one they chose, or else their first."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        """Find the workspace, or say that there is none."""
        needs_login = getattr(view, "login_required", True)
        if is_api(request) or not needs_login or not request.user.is_authenticated:
            return None
        if request.path.startswith("/admin/"):
            return None
        workspaces = list(request.user.workspaces.order_by("name"))
        if not workspaces:
            return render(request, "deployments/no_workspace.html", status=403)
        chosen = request.session.get(_SESSION_KEY)
        request.workspace = next(  # type: ignore[attr-defined]
            (workspace for workspace in workspaces if str(workspace.pk) == chosen), workspaces[0]
        )
        request.workspaces = workspaces  # type: ignore[attr-defined]
        return None


@require_POST
def switch(request: HttpRequest) -> HttpResponse:
    """Make another workspace the one that pages are about."""
    mine = Workspace.objects.filter(members=request.user)  # type: ignore[misc]
    try:
        workspace = get_object_or_404(mine, pk=request.POST.get("workspace"))
    except ValidationError:
        return redirect("metrics:overview")
    request.session[_SESSION_KEY] = str(workspace.pk)
    return redirect("metrics:overview")


class LogInForm(AuthenticationForm):
    """Asks for e-mail address and password; who guesses too often from one address has to wait."""

    def clean(self) -> dict[str, Any]:
        try:
            return super().clean()
        except ValidationError:
            self._count_failure()
            raise

    def _count_failure(self) -> None:
        limit = throttling.parse_limit(settings.SLIPWAY_FAILED_AUTH_RATE_LIMIT)
        if limit is None or self.request is None:
            return
        allowance = throttling.take(limit, f"failed-log-in:{address_of(self.request)}")
        if not allowance.granted:
            raise ValidationError(
                f"There were too many attempts from this address. Try again in {allowance.reset_seconds} seconds."
            )


class LogIn(auth_views.LoginView):
    """The log-in page."""

    authentication_form = LogInForm
    redirect_authenticated_user = True
