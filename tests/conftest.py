"""How the suite is run: property tests draw the same, and slow tests are spread over the workers.

What nobody has drawn yet is looked for with ``--hypothesis-profile=exploring``, which draws anew
each time. No profile minds how long a draw takes: the tests beside it may keep the machine busy.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.house.spreading import spread

_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("exploring", _PATIENT, print_blob=True)
settings.register_profile("suite", _PATIENT, derandomize=True)
settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every worker an equal share of slow modules, to be begun with.

    pytest-xdist hands each worker a piece of the list, and these tests lie together in it: one
    worker would run them long after the others have ended. All workers must order them alike.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = spread(items, workers)
