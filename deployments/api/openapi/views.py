"""The OpenAPI document, for whoever asks."""

import json

import yaml
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from deployments.api.openapi.generating import document


@csrf_exempt
@login_not_required
@require_safe
def as_json(request: HttpRequest) -> HttpResponse:
    """Return the document as JSON."""
    return HttpResponse(json.dumps(document(), ensure_ascii=False, indent=1), content_type="application/json")


@csrf_exempt
@login_not_required
@require_safe
def as_yaml(request: HttpRequest) -> HttpResponse:
    """Return the document as YAML (RFC 9512)."""
    text = yaml.safe_dump(document(), allow_unicode=True, sort_keys=False, width=100)
    return HttpResponse(text, content_type="application/yaml")
