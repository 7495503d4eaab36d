"""Whether this process can serve."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process can serve.

    The database is left out on purpose: while it is away a restart would not bring it back, and a load
    balancer that takes the web processes away would only turn 503 with Retry-After into refused connections.
    """
    return HttpResponse("ok\n", content_type="text/plain")
