"""The operator's view of everything: what failed, what is stuck, what can be run again."""

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm

from deployments.admin import catalog, deployments, failures, github, jobs, lineage, teams, webhooks, workspaces
from deployments.pages.workspaces import LogInForm

__all__ = ["catalog", "deployments", "failures", "github", "jobs", "lineage", "teams", "webhooks", "workspaces"]


class OperatorLogInForm(LogInForm, AdminAuthenticationForm):
    """Lets in staff only, and counts failures as the other log-in does: the weaker door is the one that is tried."""


admin.site.login_form = OperatorLogInForm
admin.site.site_header = "Slipway"
admin.site.site_title = "Slipway"
admin.site.index_title = "Operation"
