from django.apps import AppConfig


class DeploymentsConfig(AppConfig):
    """The write side: what was deployed, and which changes it brought."""

    name = "deployments"
    default_auto_field = "django.db.models.BigAutoField"
