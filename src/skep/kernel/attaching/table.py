"""All drivers in one table, by the way of attaching that hooks name."""

from collections.abc import Mapping
from types import MappingProxyType

from skep.hooks.hook import Hook
from skep.kernel.attaching.driver import Driver
from skep.kernel.attaching.tcx import TcxDriver
from skep.kernel.attaching.xdp import XdpDriver

_DRIVERS: tuple[Driver, ...] = (XdpDriver(), TcxDriver())

DRIVERS: Mapping[str, Driver] = MappingProxyType({driver.way: driver for driver in _DRIVERS})


def driver_of(hook: Hook) -> Driver:
    """The driver that attaches programs to a hook; a test holds the tables together."""
    return DRIVERS[hook.way]
