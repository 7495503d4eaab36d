"""The HTTP API that reports and reads deployments."""

urlpatterns = []
