"""Targets that are network interfaces: found by name, by number, and by what is attached to them.

An interface has a number within its network namespace, and the kernel resolves it in the namespace
the calling thread is in; so everything here happens inside of the right one. A link follows its
interface: renamed, or moved to another namespace, where it may get another number. Deleting it
leaves the link attached to nothing.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial

from skep.hooks.hook import Hook
from skep.hooks.identity import Identity, InterfaceIdentity
from skep.hooks.target import HookTarget
from skep.kernel.attaching.driver import Detached, Hidden, Place, Whereabouts
from skep.kernel.errors import (
    InterfaceMissing,
    NotInThisKernel,
    TargetMissing,
    TargetNotVisible,
)
from skep.kernel.interfaces import Interface, interface_named, interface_numbered
from skep.kernel.links import Link
from skep.kernel.loading import LoadedProgram
from skep.kernel.namespaces import Namespace, entered, entered_by_cookie, visible
from skep.kernel.probes import kernel_version
from skep.kernel.syscall import BpfError

# How often a link may be seen on its way from one namespace to another before giving up.
_MOST_MOVES = 3
# What kernels answer to an attach type or command they do not know.
_UNKNOWN = frozenset({errno.EINVAL, errno.E2BIG, errno.ENOSYS, errno.EOPNOTSUPP})

_Entered = AbstractContextManager[Namespace]


class InterfaceDriver:
    """The part of ``Driver`` that is the same for all ways of attaching to interfaces."""

    def locate(self, on: HookTarget) -> Place:
        """See ``Driver``."""
        with entered(on.namespace) as namespace:
            return _place(on.hook, interface_named(on.target), namespace)

    def find(self, hook: Hook, identity: Identity) -> Place:
        """See ``Driver``."""
        with at_interface(identity) as (interface, namespace):
            return _place(hook.name, interface, namespace)

    def replace(self, link: Link, new: LoadedProgram, expected: LoadedProgram | None) -> None:
        """See ``Driver``."""
        link.replace(new, expected)

    def detach(self, link: Link) -> None:
        """See ``Driver``."""
        link.detach()


@contextmanager
def at_interface(identity: Identity) -> Iterator[tuple[Interface, Namespace]]:
    """Be in the network namespace of an interface that is there.

    Raises:
        TargetMissing: there is no interface of that number there any more.
        TargetNotVisible: its namespace cannot be seen from here.
    """
    if not isinstance(identity, InterfaceIdentity):
        raise TypeError(f"expected the identity of an interface, got {identity!r}")
    with entered_by_cookie(identity.namespace) as namespace:
        yield interface_numbered(identity.index), namespace


def interface_of_link(
    hook: Hook, index: Callable[[], int], runs: Callable[[Interface], bool], hint: Identity | None
) -> Whereabouts:
    """Where the interface of a link is.

    A link tells the number of its interface but not the namespace, so each namespace that can be
    seen is asked whether its interface of that number is the one.

    Args:
        index: tells what the link says now; 0 for none.
        runs: whether the link is attached to an interface of the namespace the thread is in.
        hint: where it was the last time, looked at first.
    """
    for _ in range(_MOST_MOVES):
        number = index()
        if number == 0:
            return Detached()
        found = _searched(hook, number, runs, hint)
        if found is not None:
            return found
        if index() == number:
            break  # it did not move meanwhile, so it is somewhere else
    return Hidden()


def interface_gone(interface: Interface) -> InterfaceMissing:
    """The error for an interface that went away after it was looked up."""
    return InterfaceMissing(f"network interface {interface.index} no longer exists")


def not_in_this_kernel(hook: Hook, error: BpfError) -> None:
    """Say that the kernel is too old for a way of attaching, if an error can mean that.

    Raises:
        NotInThisKernel: it does; the kernel's version is only looked at after it said no.
    """
    version = kernel_version()
    if error.number in _UNKNOWN and version < hook.first_kernel:
        raise NotInThisKernel(
            f"expected a kernel with links for {hook.name}, this is Linux {version}",
            hint=f"Linux {hook.first_kernel} is the first that has them",
        ) from error


def _searched(
    hook: Hook, number: int, runs: Callable[[Interface], bool], hint: Identity | None
) -> Place | None:
    seen: set[int] = set()
    for enter in _namespaces(hint):
        # One that has gone, or has no such interface, is not the one.
        with suppress(TargetMissing, TargetNotVisible), enter() as namespace:
            if namespace.cookie in seen:
                continue
            seen.add(namespace.cookie)
            interface = interface_numbered(number)
            if runs(interface):
                return _place(hook.name, interface, namespace)
    return None


def _namespaces(hint: Identity | None) -> Iterator[Callable[[], _Entered]]:
    """Ways into namespaces, the most likely first."""
    if isinstance(hint, InterfaceIdentity):
        yield partial(entered_by_cookie, hint.namespace)
    for called in visible():
        yield partial(entered, called)


def _place(hook: str, interface: Interface, namespace: Namespace) -> Place:
    return Place(
        InterfaceIdentity(namespace.cookie, interface.index),
        HookTarget(hook, interface.name, namespace.called),
    )
