"""The addresses of the HTTP API that reports and reads deployments. None ends in a slash."""

from django.contrib.auth.decorators import login_not_required
from django.urls import path

from deployments.api import environments, flux, github, hal, incidents, teams, v1, webhooks
from deployments.api.openapi import views as openapi
from deployments.api.openapi.generating import described
from deployments.api.openapi.operations import OPERATIONS

# What needs no log-in here needs an API key: see deployments.api.authentication.
urlpatterns = [
    path(route, login_not_required(described(view, OPERATIONS.get(name, {})).as_view()), name=name)
    for route, view, name in [
        ("v1/deployments", v1.Deployments, "v1-deployments"),
        ("v1/deployments/batch", v1.DeploymentBatch, "v1-deployment-batch"),
        ("v1/deployments/flux", flux.FluxEvents, "v1-deployment-flux"),
        ("v1/deployments/<int:id>", v1.DeploymentDetail, "v1-deployment"),
        ("v1/deployments/<int:id>/restore", v1.DeploymentRestore, "v1-deployment-restore"),
        ("v1/environments", environments.Environments, "v1-environments"),
        ("v1/incidents", incidents.Incidents, "v1-incidents"),
        ("v1/incidents/<int:id>", incidents.IncidentDetail, "v1-incident"),
        ("v1/incidents/<int:id>/restore", incidents.IncidentRestore, "v1-incident-restore"),
        ("v1/jobs", v1.Jobs, "v1-jobs"),
        ("v1/teams", teams.Teams, "v1-teams"),
        ("v1/webhooks", webhooks.Webhooks, "v1-webhooks"),
        ("v1/webhooks/<int:id>", webhooks.WebhookDetail, "v1-webhook"),
        ("v1/webhooks/<int:id>/ping", webhooks.WebhookPing, "v1-webhook-ping"),
        ("v1/webhooks/<int:id>/deliveries", webhooks.WebhookDeliveries, "v1-webhook-deliveries"),
        (
            "v1/webhooks/<int:id>/deliveries/<int:delivery_id>",
            webhooks.WebhookDeliveryDetail,
            "v1-webhook-delivery",
        ),
        (
            "v1/webhooks/<int:id>/deliveries/<int:delivery_id>/redeliver",
            webhooks.WebhookRedelivery,
            "v1-webhook-redelivery",
        ),
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
urlpatterns += [
    path("v1/openapi.json", openapi.as_json, name="v1-openapi-json"),
    path("v1/openapi.yaml", openapi.as_yaml, name="v1-openapi-yaml"),
]
