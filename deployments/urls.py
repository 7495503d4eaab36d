"""The pages of the write side, and how people log in."""

from django.contrib.auth.views import LogoutView
from django.urls import include, path

from deployments.pages import catalog, deployments, jobs, settings, workspaces

pages = [
    path("deployments/", deployments.deployment_list, name="deployments"),
    path("deployments/<int:pk>/", deployments.deployment_detail, name="deployment"),
    path("deployments/<int:pk>/archive/", deployments.archive, name="archive"),
    path("deployments/<int:pk>/restore/", deployments.restore, name="restore"),
    path("applications/", catalog.application_list, name="applications"),
    path("applications/<int:pk>/", catalog.application_detail, name="application"),
    path("environments/", catalog.environment_list, name="environments"),
    path("environments/<int:pk>/", catalog.environment_detail, name="environment"),
    path("jobs/", jobs.job_list, name="jobs"),
    path("jobs/<uuid:pk>/", jobs.job_detail, name="job"),
    path("jobs/<uuid:pk>/run-again/", jobs.run_again, name="run-again"),
    path("jobs/<uuid:pk>/withdraw/", jobs.withdraw, name="withdraw"),
    path("settings/", settings.workspace_settings, name="settings"),
    path("settings/api-keys/", settings.api_keys, name="api-keys"),
    path("settings/api-keys/<int:pk>/revoke/", settings.revoke_key, name="revoke-key"),
    path("workspace/", workspaces.switch, name="switch-workspace"),
]

urlpatterns = [
    path("", include((pages, "deployments"))),
    path("login/", workspaces.LogIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
