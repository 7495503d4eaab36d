"""The pages and the API of the read side."""

from django.contrib.auth.decorators import login_not_required
from django.urls import path

from deployments.api.openapi.generating import described
from metrics.api import DoraMetrics
from metrics.api_schema import DORA
from metrics.pages import badges, digests, goals
from metrics.pages.attention import attention
from metrics.pages.explain import explanation
from metrics.pages.overview import overview
from metrics.pages.review import review_page
from metrics.pages.why import why_changed

app_name = "metrics"
urlpatterns = [
    path("", overview, name="overview"),
    path("attention/", attention, name="attention"),
    path("explain/<slug:slug>/", explanation, name="explain"),
    path("why/", why_changed, name="why"),
    path("goals/", goals.goal_list, name="goals"),
    path("goals/add/", goals.add_goal, name="add-goal"),
    path("goals/<int:pk>/", goals.change_goal, name="goal"),
    path("goals/<int:pk>/remove/", goals.remove_goal, name="remove-goal"),
    path("review/", review_page, name="review"),
    path("badges/", badges.badges, name="badges"),
    path("badges/revoke/", badges.revoke_badges, name="revoke-badges"),
    path("badge/<str:token>.svg", badges.badge, name="badge"),
    path("settings/digests/", digests.digest_list, name="digests"),
    path("settings/digests/<int:pk>/", digests.change, name="digest"),
    path("settings/digests/<int:pk>/pause/", digests.pause, name="pause-digest"),
    path("settings/digests/<int:pk>/resume/", digests.resume, name="resume-digest"),
    path("settings/digests/<int:pk>/remove/", digests.remove, name="remove-digest"),
    path("settings/digests/<int:pk>/send/", digests.send, name="send-digest"),
    path("unsubscribe/<str:token>/", digests.unsubscribe, name="unsubscribe"),
    path("v1/metrics/dora", login_not_required(described(DoraMetrics, DORA).as_view()), name="v1-dora"),
]
