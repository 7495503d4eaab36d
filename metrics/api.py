"""GET /v1/metrics/dora."""

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api.base import ApiView
from deployments.models import Scope
from metrics.export import report_as_csv, report_as_json
from metrics.periods import Interval
from metrics.reports import dora_report
from metrics.selections import InvalidSelection, read_selection


class DoraMetrics(ApiView):
    """GET returns the DORA metrics of a period, as JSON or, on request, as CSV."""

    required_scopes = {"GET": [Scope.METRICS_READ]}

    def get(self, request: Request) -> Response | HttpResponse:
        wants_csv = _wants_csv(request)
        try:
            selection = read_selection(self.workspace, request._request.GET, default_interval=Interval.DAY)
        except InvalidSelection as error:
            raise serializers.ValidationError(
                {name: [message] for name, message in error.errors.items()}, code="invalid"
            ) from error
        report = dora_report(selection)
        if wants_csv:
            return HttpResponse(report_as_csv(report), content_type="text/csv; charset=utf-8")
        return Response(report_as_json(report))


def _wants_csv(request: Request) -> bool:
    chosen = request.query_params.get("format", "").strip()
    if chosen not in ("", "json", "csv"):
        raise serializers.ValidationError({"format": ["Must be json or csv."]}, code="invalid")
    return chosen == "csv" or (not chosen and "text/csv" in request.META.get("HTTP_ACCEPT", ""))
