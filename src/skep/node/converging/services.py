"""What use cases are given: ports to look through, and with the lock held, ports to change with."""

from dataclasses import dataclass

from skep.clock import Clock, rfc3339
from skep.errors import SkepError
from skep.node.converging.executing import Compose, Interpreter
from skep.node.kept_ports import Kept, KeptReader
from skep.node.locking import Lock
from skep.node.packages import Packages
from skep.node.ports import Kernel, KernelReader
from skep.node.state_ports import State, StateReader


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a look at the node needs.

    Attributes:
        kernel: where programs run.
        state: what is committed.
        packages: what can be loaded.
        clock: now.
        kept: copies of the linked programs of all deployments.
        doubt: why what is seen may be half of a change; ``None`` if nothing changes meanwhile.
    """

    kernel: KernelReader
    state: StateReader
    packages: Packages
    clock: Clock
    kept: KeptReader
    doubt: SkepError | None = None

    @property
    def now(self) -> str:
        """RFC 3339."""
        return rfc3339(self.clock())


@dataclass(frozen=True, slots=True)
class Writer:
    """Everything a change of the node needs; there is none without the lock.

    Attributes:
        lock: held as long as this is used.
        kernel: where programs run.
        state: what is committed.
        packages: what can be loaded.
        clock: now.
        compose: how a chain becomes one program.
        kept: copies of the linked programs of all deployments.
    """

    lock: Lock
    kernel: Kernel
    state: State
    packages: Packages
    clock: Clock
    compose: Compose
    kept: Kept

    @property
    def services(self) -> Services:
        """The same, to look only."""
        return Services(self.kernel, self.state, self.packages, self.clock, self.kept)

    @property
    def interpreter(self) -> Interpreter:
        """The interpreter of plans.

        Raises:
            LockNotHeld: the lock was given back.
        """
        self.lock.require()
        return Interpreter(self.kernel, self.state, self.clock, self.compose)

    @property
    def now(self) -> str:
        """RFC 3339."""
        return rfc3339(self.clock())
