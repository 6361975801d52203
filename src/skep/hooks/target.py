"""Hook targets as people declare them, and how each kind of target is written.

A target is *declared* by names: ``xdp:eth0``, or ``xdp:eth0@blue`` for an interface in another
network namespace. What it turns out to be while the machine runs is its identity
(:mod:`skep.hooks.identity`); names are for people and for the next boot.

Namespaces in a declared target: empty for that of the host (of process 1), the name under
``/run/netns`` of another, or ``netns:COOKIE`` for one without a name, which lasts one boot.
"""

import re
from dataclasses import dataclass

from skep.errors import UsageError

COOKIE_PREFIX = "netns:"
HOST = "host"
"""What people type for the host's namespace from inside another: ``xdp:eth0@host``."""

# A file name in /run/netns; the kernel's cookies are numbers of 64 bits.
_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,255}|netns:[1-9][0-9]{0,19}")
# IFNAMSIZ is 16 with the terminating zero, ALTIFNAMSIZ 128; the kernel refuses '/', ':' and white
# space, and the names "." and ".." (dev_valid_name in net/core/dev.c).
_INTERFACE = re.compile(r"[^\s/:\x00]+")
_LONGEST_INTERFACE = 127  # characters


@dataclass(frozen=True, slots=True, order=True)
class HookTarget:
    """A hook and what it is on, as declared: ``xdp:eth0``.

    Attributes:
        hook: name of the hook.
        target: what people call the thing the hook is on, for example an interface.
        namespace: see the module; always empty for things that are in no namespace.

    >>> str(HookTarget("xdp", "eth0", "blue"))
    'xdp:eth0@blue'
    """

    hook: str
    target: str
    namespace: str = ""

    def __str__(self) -> str:
        text = f"{self.hook}:{self.target}"
        # An interface may be called a@b; then an empty namespace is written out.
        return f"{text}@{self.namespace}" if self.namespace or "@" in self.target else text


@dataclass(frozen=True, slots=True)
class TargetGrammar:
    """How people write the targets of a hook.

    Attributes:
        noun: what it is, in a word: ``interface``.
        example: one, for messages.
        pattern: what a name must match wholly.
        longest: characters of a name.
        has_namespace: a name is one within a network namespace, and ``@`` may tell which.
    """

    noun: str
    example: str
    pattern: re.Pattern[str]
    longest: int = 255
    has_namespace: bool = False

    def parse(self, hook: str, text: str) -> HookTarget:
        """Read what follows the colon.

        Raises:
            UsageError: it cannot name such a thing, or its namespace cannot be one.
        """
        name, namespace = text, ""
        if self.has_namespace and "@" in text:
            name, _, namespace = text.rpartition("@")
            if namespace and not _NAMESPACE.fullmatch(namespace):
                raise UsageError(
                    f"expected a network namespace after '@', got {namespace[:80]!r}",
                    hint=f"for example {hook}:{self.example}@blue; `ip netns` lists their names",
                )
        if len(name) > self.longest:
            raise UsageError(
                f"{self.noun} names have at most {self.longest} characters; this one has"
                f" {len(name)}",
                hint=f"for example {hook}:{self.example}",
            )
        if not self.pattern.fullmatch(name) or name in {".", ".."}:
            raise UsageError(
                f"expected {hook}:<{self.noun}>, got {f'{hook}:{text}'[:160]!r}",
                hint=f"for example {hook}:{self.example}",
            )
        return HookTarget(hook, name, namespace)


INTERFACE = TargetGrammar("interface", "eth0", _INTERFACE, _LONGEST_INTERFACE, has_namespace=True)
