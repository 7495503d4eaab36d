"""The addresses of the HTTP API that reports and reads deployments. None ends in a slash."""

from django.contrib.auth.decorators import login_not_required
from django.urls import path

from deployments.api import github, hal, v1

# What needs no log-in here needs an API key: see deployments.api.authentication.
urlpatterns = [
    path(route, login_not_required(view.as_view()), name=name)
    for route, view, name in [
        ("v1/deployments", v1.Deployments, "v1-deployments"),
        ("v1/deployments/batch", v1.DeploymentBatch, "v1-deployment-batch"),
        ("v1/deployments/<int:id>", v1.DeploymentDetail, "v1-deployment"),
        ("v1/deployments/<int:id>/restore", v1.DeploymentRestore, "v1-deployment-restore"),
        ("v1/jobs", v1.Jobs, "v1-jobs"),
        ("api/workspaces/<uuid:workspace_id>/deployments", hal.WorkspaceDeployments, "workspace-deployments"),
        (
            "api/workspaces/<uuid:workspace_id>/deployments/github-webhook",
            github.GithubWebhook,
            "github-webhook",
        ),
        ("api/jobs/<uuid:job_id>", hal.JobDetail, "job"),
        ("api/jobs/<uuid:job_id>/logs", hal.JobLogs, "job-logs"),
        ("api/jobs/<uuid:job_id>/stopped", hal.JobStopped, "job-stopped"),
    ]
]
