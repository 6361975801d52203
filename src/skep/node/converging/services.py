"""What every use case is given: the node's ports and its interpreter of plans."""

from dataclasses import dataclass

from skep.clock import Clock, rfc3339
from skep.node.converging.executing import Compose, Interpreter
from skep.node.packages import Packages
from skep.node.ports import Kernel, State


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a change of the node needs.

    Attributes:
        kernel: where programs run.
        state: what is committed.
        packages: what can be loaded.
        clock: now.
        compose: how a chain becomes one program.
    """

    kernel: Kernel
    state: State
    packages: Packages
    clock: Clock
    compose: Compose

    @property
    def interpreter(self) -> Interpreter:
        """The interpreter of plans."""
        return Interpreter(self.kernel, self.state, self.clock, self.compose)

    @property
    def now(self) -> str:
        """RFC 3339."""
        return rfc3339(self.clock())
