"""Whether this process can serve."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe


@csrf_exempt  # so that 405 answers what it does not do
@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process can serve.

    The database is left out on purpose: while it is away a restart would not bring it back, and a load
    balancer that takes the web processes away would only turn 503 with Retry-After into refused connections.
    """
    return HttpResponse("ok\n", content_type="text/plain")
