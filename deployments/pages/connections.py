"""Connections to GitHub's API: a token or an App. What is secret of them is entered and never shown."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from deployments.forms import ConnectionForm
from deployments.models import GithubConnection
from deployments.pages.github import connection_of, require_owner

_SECRETS = ("token", "private_key")


@never_cache
@sensitive_post_parameters(*_SECRETS)
def add(request: HttpRequest) -> HttpResponse:
    """Add a connection."""
    require_owner(request)
    new = GithubConnection(workspace=request.workspace)  # type: ignore[attr-defined]
    return _form(request, ConnectionForm(request.POST or None, instance=new), None)


@never_cache
@sensitive_post_parameters(*_SECRETS)
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a connection; a secret that is left empty stays as it is."""
    require_owner(request)
    form = ConnectionForm(request.POST or None, instance=connection_of(request, pk))
    return _form(request, form, connection_of(request, pk))


def _form(request: HttpRequest, form: ConnectionForm, connection: GithubConnection | None) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved. It is used for what is asked next.")
        return redirect("deployments:github")
    return render(request, "deployments/connection.html", {"form": form, "connection": connection})


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a connection with its secrets. What was learnt through it stays."""
    require_owner(request)
    connection_of(request, pk).delete()
    messages.success(request, "The connection is removed. Revoke the token or the App at GitHub too.")
    return redirect("deployments:github")
