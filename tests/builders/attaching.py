"""XDP programs on interfaces of the namespace the tests run in, through the driver."""

from skep.hooks.identity import InterfaceIdentity
from skep.hooks.table import find_hook
from skep.kernel.attaching.table import driver_of
from skep.kernel.links import Link
from skep.kernel.loading import LoadedProgram
from skep.kernel.namespaces import namespace_cookie

_HOOK = find_hook("xdp")
_DRIVER = driver_of(_HOOK)


def attach_xdp(program: LoadedProgram, ifindex: int) -> Link:
    """Attach a program to the interface of a number."""
    return _DRIVER.attach(_HOOK, InterfaceIdentity(namespace_cookie(), ifindex), program)


def xdp_program_id(ifindex: int) -> int | None:
    """Id of the program on the interface of a number, ``None`` if there is none."""
    found = _DRIVER.occupants(_HOOK, InterfaceIdentity(namespace_cookie(), ifindex))
    return found[0] if found else None


def link_interface(link: Link) -> int:
    """Number of a link's interface; 0 once it is detached."""
    place = _DRIVER.whereabouts(_HOOK, link, None)
    identity = getattr(place, "identity", None)
    return identity.index if isinstance(identity, InterfaceIdentity) else 0
