"""How many examples: `HYPOTHESIS_PROFILE=thorough` tries many more than the suite has time for, `quick` fewer.

A second run on another database is quick: what it may find are differences between databases.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tests.lineage.stories", "tests.lineage.imports")

# The suite says the same on every machine; the thorough profile goes on looking.
settings.register_profile(
    "suite", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile("thorough", settings.get_profile("suite"), derandomize=False, max_examples=3000)
settings.register_profile("quick", settings.get_profile("suite"), max_examples=25)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
