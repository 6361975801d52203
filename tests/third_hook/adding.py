"""The two table lines, added to the running process and taken out again; and targets for them."""

import gc
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skep.hooks.table import HOOKS
from skep.kernel.attaching.table import DRIVERS
from tests.third_hook.cgroup_skb import CGROUP_SKB
from tests.third_hook.cgroups import CgroupDriver, hierarchy


@contextmanager
def third_hook() -> Iterator[None]:
    """Have the hook in the tables for a while."""
    hooks, drivers = _behind(HOOKS), _behind(DRIVERS)
    hooks[CGROUP_SKB.name] = CGROUP_SKB
    drivers[CgroupDriver.way] = CgroupDriver()
    try:
        yield
    finally:
        del hooks[CGROUP_SKB.name], drivers[CgroupDriver.way]


@contextmanager
def new_cgroup() -> Iterator[Path]:
    """A control group of the test's own, by its path; the test may remove it."""
    path = hierarchy() / f"skep-test-{secrets.token_hex(3)}"
    path.mkdir()
    try:
        yield path
    finally:
        if path.exists():
            path.rmdir()


def _behind(table: Mapping[str, Any]) -> dict[str, Any]:
    """The dictionary behind a read-only view."""
    (found,) = gc.get_referents(table)
    assert isinstance(found, dict)
    return found
