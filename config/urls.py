"""The whole URL map: prefixes and includes."""

from django.contrib import admin
from django.urls import include, path

from config.health import healthz

urlpatterns = [
    path("healthz", healthz),
    path("", include("metrics.urls")),  # pages: the overview; /v1/metrics
    path("", include("deployments.urls")),  # pages: deployments, applications, environments, jobs, settings
    path("", include("deployments.api.urls")),  # /v1 and /api
    path("", include("deployments.api.github_style.urls")),  # /api/v3
    path("admin/", admin.site.urls),
]


handler400 = "deployments.api.problems.bad_request"
handler404 = "deployments.api.problems.not_found"
handler500 = "deployments.api.problems.server_error"
