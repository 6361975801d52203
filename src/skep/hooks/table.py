"""All hooks in one table, and the ``hook:target`` people type."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from skep.errors import UsageError
from skep.hooks.hook import Hook
from skep.hooks.xdp import XDP

HOOKS: Mapping[str, Hook] = MappingProxyType({hook.name: hook for hook in (XDP,)})

# IFNAMSIZ is 16 with the terminating zero; the kernel refuses '/', ':' and white space, and the
# names "." and ".." (dev_valid_name in net/core/dev.c). The name also becomes a file name of ours.
_INTERFACE = re.compile(r"[^\s/:\x00]{1,15}")


class UnknownHook(UsageError):
    """The text names no hook of this version of Skep."""


@dataclass(frozen=True, slots=True, order=True)
class HookTarget:
    """A hook and the thing it is on: ``xdp:eth0``.

    >>> str(parse_hook_target("xdp:eth0"))
    'xdp:eth0'
    """

    hook: str
    target: str

    def __str__(self) -> str:
        return f"{self.hook}:{self.target}"


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
            f"there is no hook {name[:64]!r}", hint=f"hooks of this version: {known}"
        ) from None


def parse_hook_target(text: str) -> HookTarget:
    """Read ``hook:target``.

    Raises:
        UnknownHook: the hook is not in the table.
        UsageError: the target is missing or cannot be an interface name.
    """
    name, separator, target = text.partition(":")
    hook = find_hook(name)
    if not separator or not _INTERFACE.fullmatch(target) or target in {".", ".."}:
        raise UsageError(
            f"expected {hook.name}:<{hook.target}>, got {text[:64]!r}",
            hint=f"for example {hook.name}:eth0",
        )
    return HookTarget(hook.name, target)
