"""Badges: the page that makes links to them, and the pictures themselves."""

import hashlib
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.html import escape
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from deployments.models import Application, Environment, Team, Workspace
from metrics.badges import LONGEST_LABEL, MOST_DAYS, NOT_VALID, Badge, BadgeNotValid, draw, revoke, svg_of, token_of
from metrics.models import Metric

# A page that shows a badge asks for it again after so many seconds.
_SECONDS_KEPT = 300


class BadgeForm(forms.Form):
    """Asks what a badge is about."""

    metric = forms.ChoiceField(choices=Metric.choices)
    application = forms.ModelChoiceField(Application.objects.none(), required=False, empty_label="All")
    environment = forms.ModelChoiceField(Environment.objects.none(), required=False, empty_label="All production")
    team = forms.ModelChoiceField(Team.objects.none(), required=False, empty_label="All")
    days = forms.IntegerField(min_value=1, max_value=MOST_DAYS, help_text="So many days up to today.")
    label = forms.CharField(
        max_length=LONGEST_LABEL, required=False, help_text="What stands on the left; the metric, if left empty."
    )

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, model in (("application", Application), ("environment", Environment), ("team", Team)):
            self.fields[name].queryset = model.objects.filter(workspace=workspace)  # type: ignore[attr-defined]


@require_safe
def badges(request: HttpRequest) -> HttpResponse:
    """Show a badge, and what to copy to show it elsewhere."""
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    chosen = {"metric": Metric.CHANGE_LEAD_TIME.value, "days": "30", **request.GET.dict()}
    form = BadgeForm(chosen, workspace=workspace)
    context = {"form": form, **(_to_copy(request, workspace, form.cleaned_data) if form.is_valid() else {})}
    return render(request, "metrics/badges.html", context)


def _to_copy(request: HttpRequest, workspace: Workspace, chosen: dict[str, Any]) -> dict[str, str]:
    rows = {name: chosen[name] and chosen[name].pk for name in ("application", "environment", "team")}
    badge = Badge(metric=chosen["metric"], days=chosen["days"], label=chosen["label"], **rows)
    base = settings.BASE_URL or request.build_absolute_uri("/").rstrip("/")
    path = reverse("metrics:badge", args=[token_of(workspace, badge)])
    query = urlencode(_query(chosen))
    target = f"{base}{reverse('metrics:overview')}{'?' if query else ''}{query}"
    text = chosen["label"] or Metric(chosen["metric"]).label
    shown = "".join(f"\\{character}" if character in "\\[]`*_<>" else character for character in text)
    return {
        "path": path,
        "text": text,
        "markdown": f"[![{shown}]({base}{path})]({target})",
        "html": f'<a href="{escape(target)}"><img src="{base}{path}" alt="{escape(text)}" height="20"></a>',
    }


def _query(chosen: dict[str, Any]) -> dict[str, str]:
    places = {"app": chosen["application"], "environment": chosen["environment"], "team": chosen["team"]}
    return {name: row.name for name, row in places.items() if row}


@require_POST
def revoke_badges(request: HttpRequest) -> HttpResponse:
    """Make all links to badges that were given away invalid."""
    revoke(request.workspace)  # type: ignore[attr-defined]
    messages.success(request, "All links to badges that were there are invalid now.")
    return redirect("metrics:badges")


@csrf_exempt  # so that 405 answers what it does not do
@login_not_required
@require_safe
def badge(request: HttpRequest, token: str) -> HttpResponseBase:
    """Return a badge to whoever has its link."""
    try:
        picture, status = svg_of(token), 200
    except BadgeNotValid:
        picture, status = draw("Slipway", NOT_VALID), 404
    response = HttpResponse(picture, status=status, content_type="image/svg+xml; charset=utf-8")
    response["Cache-Control"] = f"public, max-age={_SECONDS_KEPT}"
    if status == 404:
        return response
    response["ETag"] = f'"{hashlib.sha256(picture.encode()).hexdigest()[:32]}"'
    return get_conditional_response(request, etag=response["ETag"], response=response) or response
