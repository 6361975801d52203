"""All hooks in one table, and the ``hook:target`` people type."""

from collections.abc import Mapping
from types import MappingProxyType

from skep.errors import Misnamed, UsageError
from skep.hooks.hook import Hook
from skep.hooks.target import HookTarget
from skep.hooks.tcx_egress import TCX_EGRESS
from skep.hooks.tcx_ingress import TCX_INGRESS
from skep.hooks.xdp import XDP

__all__ = ["HOOKS", "HookTarget", "UnknownHook", "find_hook", "parse_hook_target"]

_HOOKS = (
    XDP,
    TCX_INGRESS,
    TCX_EGRESS,
)

HOOKS: Mapping[str, Hook] = MappingProxyType({hook.name: hook for hook in _HOOKS})


class UnknownHook(UsageError):
    """The text names no hook of this version of Skep."""


def find_hook(name: str) -> Hook:
    """Look a hook up by its name.

    Raises:
        UnknownHook: with the names there are.
    """
    try:
        return HOOKS[name]
    except KeyError:
        known = ", ".join(sorted(HOOKS))
        raise UnknownHook(
            f"there is no hook {name[:64]!r}",
            hint=f"hooks of this version: {known}",
            misnamed=Misnamed(name, tuple(HOOKS)),
        ) from None


def parse_hook_target(text: str) -> HookTarget:
    """Read ``hook:target``.

    >>> str(parse_hook_target("xdp:eth0"))
    'xdp:eth0'

    Raises:
        UnknownHook: the hook is not in the table.
        UsageError: the target is missing or cannot be one of this hook.
    """
    name, _, target = text.partition(":")
    hook = find_hook(name)
    return hook.target.parse(hook.name, target)
