"""The node's ``LinkTarget`` port over ``skep.kernel``."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.kernel.configuration import kernel_configuration, kernel_symbols, kernel_version_code
from skep.kernel.kernel_types import kernel_types


class RunningKernel:
    """The kernel this process runs on; what was read is kept as long as this.

    Args:
        cache: directory for indexes of its types; ``None`` to keep none, for who only looks.
        indexing: around reading its types, which takes seconds if they are not indexed yet.
    """

    def __init__(
        self,
        cache: Path | None,
        indexing: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._cache = cache
        self._indexing = indexing
        self._types: KernelTypes | None = None
        self._configuration: tuple[Mapping[str, str] | None] | None = None

    def types(self) -> KernelTypes:
        """Its types; indexed once, see :mod:`skep.kernel.kernel_types`."""
        if self._types is None:
            with self._indexing():
                self._types = kernel_types(self._cache)
        return self._types

    def configuration(self) -> Mapping[str, str] | None:
        """Its build configuration."""
        if self._configuration is None:
            self._configuration = (kernel_configuration(),)
        return self._configuration[0]

    def version_code(self) -> int:
        """LINUX_VERSION_CODE."""
        return kernel_version_code()

    def symbols(self, names: Collection[str]) -> Mapping[str, int]:
        """Addresses of those of ``names`` that it tells."""
        return kernel_symbols(names)
