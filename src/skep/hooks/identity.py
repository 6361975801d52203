"""Identities of hook targets while the machine runs, one type for each kind.

A name may be another thing tomorrow: interfaces are renamed, moved and made anew, and every
network namespace has an ``eth0``. Identities are the kernel's own numbers; they are compared
instead of names, and mean nothing after a reboot.
"""

from dataclasses import dataclass
from typing import assert_never

from skep.hooks.target import HookTarget


@dataclass(frozen=True, slots=True, order=True)
class InterfaceIdentity:
    """A network interface.

    Attributes:
        namespace: cookie of its network namespace (``SO_NETNS_COOKIE``); cookies are never used
            twice in a boot.
        index: interface index, unique in its namespace while the interface lives.
    """

    namespace: int
    index: int


@dataclass(frozen=True, slots=True, order=True)
class CgroupIdentity:
    """A control group, by the id the kernel gave it (``name_to_handle_at(2)``)."""

    id: int


@dataclass(frozen=True, slots=True, order=True)
class TracepointIdentity:
    """A tracepoint, by category and name."""

    category: str
    name: str


@dataclass(frozen=True, slots=True, order=True)
class FunctionIdentity:
    """A function of the kernel; ``module`` is empty for those outside of modules."""

    module: str
    name: str


Identity = InterfaceIdentity | CgroupIdentity | TracepointIdentity | FunctionIdentity


@dataclass(frozen=True, slots=True)
class Place:
    """A thing a program can be attached to, seen from here.

    Attributes:
        identity: what it is.
        called: what it is called now, with its first name and its namespace; that of the host is
            empty, see :mod:`skep.hooks.target`.
    """

    identity: Identity
    called: HookTarget


@dataclass(frozen=True, slots=True)
class Binding:
    """What a declared target turned out to be when a program was attached to it.

    Attributes:
        boot: boot id (``/proc/sys/kernel/random/boot_id``); a binding of another boot is none.
        identity: of the thing.
        link: id of the bpf link that holds the program there.
    """

    boot: str
    identity: Identity
    link: int


def identity_fields(identity: Identity) -> tuple[str, ...]:
    """An identity as its kind and texts, to be stored.

    >>> identity_fields(InterfaceIdentity(1, 4))
    ('interface', '1', '4')
    """
    match identity:
        case InterfaceIdentity(namespace, index):
            return ("interface", str(namespace), str(index))
        case CgroupIdentity(number):
            return ("cgroup", str(number))
        case TracepointIdentity(category, name):
            return ("tracepoint", category, name)
        case FunctionIdentity(module, name):
            return ("function", module, name)
        case _:
            assert_never(identity)


def parse_identity(kind: str, *fields: str) -> Identity:
    """The identity that :func:`identity_fields` gave these texts.

    Raises:
        ValueError: they are not of it.
    """
    match kind, fields:
        case "interface", (namespace, index):
            return InterfaceIdentity(int(namespace), int(index))
        case "cgroup", (number,):
            return CgroupIdentity(int(number))
        case "tracepoint", (category, name):
            return TracepointIdentity(category, name)
        case "function", (module, name):
            return FunctionIdentity(module, name)
        case _:
            raise ValueError(f"not an identity: {kind!r} with {len(fields)} fields")
