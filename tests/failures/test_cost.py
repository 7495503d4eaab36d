"""One more deployment costs the same on a long track as on a short one."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployments.verdicts import judge_track
from tests.failures.stories import Shop

pytestmark = pytest.mark.django_db


def cost_of_one_more(shop: Shop, length: int, commit: Any, **fields: Any) -> int:
    shop.line(*range(length + 2))
    for number in range(length):
        shop.deploy(number, number, app=f"of-{length}", fixes_version=f"v{number - 1}" if number % 5 == 4 else "")
    shop.work()
    row = shop.deploy(length, commit, app=f"of-{length}", **fields)
    from deployments.changes import derive_changes

    with CaptureQueriesContext(connection) as captured:
        derive_changes(row.track_id)
        judge_track(row.track_id)
    return len(captured)


@pytest.mark.parametrize("step", [1, -1, -4])
def test_one_more_deployment_takes_as_many_queries_on_a_long_track(shop: Shop, step: int) -> None:
    short = cost_of_one_more(shop, 10, 10 + step)
    other = Shop(shop.workspace)
    assert cost_of_one_more(other, 60, 60 + step) <= short + 2
