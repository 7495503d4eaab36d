"""The pages and the API of the read side."""

from django.contrib.auth.decorators import login_not_required
from django.urls import path

from metrics import pages
from metrics.api import DoraMetrics

app_name = "metrics"
urlpatterns = [
    path("", pages.overview, name="overview"),
    path("v1/metrics/dora", login_not_required(DoraMetrics.as_view()), name="v1-dora"),
]
