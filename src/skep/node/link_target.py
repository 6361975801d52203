"""The kernel that programs are linked for, as far as linking asks about it."""

from collections.abc import Collection, Mapping
from typing import Protocol

from skep.bytecode.btf.kernel_types import KernelTypes


class LinkTarget(Protocol):
    """The running kernel; nothing is read before it is asked for, because most objects never ask.

    Implemented by the wiring.
    """

    def types(self) -> KernelTypes:
        """Its types.

        Raises:
            Unsupported: it was built without.
        """
        ...

    def configuration(self) -> Mapping[str, str] | None:
        """Its build configuration, ``CONFIG_HZ`` to ``250``; ``None`` if it does not tell."""
        ...

    def version_code(self) -> int:
        """LINUX_VERSION_CODE."""
        ...

    def symbols(self, names: Collection[str]) -> Mapping[str, int]:
        """Addresses of those of ``names`` that it tells."""
        ...
