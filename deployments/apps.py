from django.apps import AppConfig
from django.core import checks


class DeploymentsConfig(AppConfig):
    """The write side: what was deployed, and which changes it brought."""

    name = "deployments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from deployments import announcing, outgoing

        announcing.connect()
        checks.register(outgoing.check_allowed_networks)
