"""The pages and the API of the read side."""

from django.urls import path
from django.http import HttpResponse

app_name = "metrics"
urlpatterns = [path("", lambda request: HttpResponse("soon"), name="overview")]
