"""The pages of the write side, and how people log in."""

from django.contrib.auth.views import LogoutView
from django.urls import include, path

from deployments.pages import catalog, connections, deployments, github, jobs, settings, triggers, workspaces

pages = [
    path("deployments/", deployments.deployment_list, name="deployments"),
    path("deployments/<int:pk>/", deployments.deployment_detail, name="deployment"),
    path("deployments/<int:pk>/archive/", deployments.archive, name="archive"),
    path("deployments/<int:pk>/restore/", deployments.restore, name="restore"),
    path("applications/", catalog.application_list, name="applications"),
    path("applications/<int:pk>/", catalog.application_detail, name="application"),
    path("applications/<int:pk>/triggers/<int:trigger>/remove/", triggers.remove, name="remove-trigger"),
    path("environments/", catalog.environment_list, name="environments"),
    path("environments/<int:pk>/", catalog.environment_detail, name="environment"),
    path("jobs/", jobs.job_list, name="jobs"),
    path("jobs/<uuid:pk>/", jobs.job_detail, name="job"),
    path("jobs/<uuid:pk>/run-again/", jobs.run_again, name="run-again"),
    path("jobs/<uuid:pk>/withdraw/", jobs.withdraw, name="withdraw"),
    path("settings/", settings.workspace_settings, name="settings"),
    path("settings/api-keys/", settings.api_keys, name="api-keys"),
    path("settings/api-keys/<int:pk>/revoke/", settings.revoke_key, name="revoke-key"),
    path("settings/github/", github.github, name="github"),
    path("settings/github/live/", github.live, name="github-live"),
    path("settings/github/secrets/<int:pk>/end/", github.end_secret, name="end-secret"),
    path("settings/github/repositories/<int:pk>/deployments/", github.choose_deployments, name="choose-deployments"),
    path("settings/github/connections/add/", connections.add, name="add-connection"),
    path("settings/github/connections/<int:pk>/", connections.change, name="connection"),
    path("settings/github/connections/<int:pk>/remove/", connections.remove, name="remove-connection"),
    path("workspace/", workspaces.switch, name="switch-workspace"),
]

urlpatterns = [
    path("", include((pages, "deployments"))),
    path("login/", workspaces.LogIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
