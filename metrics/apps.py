from django.apps import AppConfig


class MetricsConfig(AppConfig):
    """The read side: the DORA metrics and the pages that show them."""

    name = "metrics"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from metrics import receivers

        receivers.connect()
