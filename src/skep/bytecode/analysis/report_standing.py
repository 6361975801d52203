"""The parts of a report about settings, standards and other runtimes; see :mod:`.report`."""

from dataclasses import dataclass

from skep.bytecode.analysis.document import Part
from skep.bytecode.analysis.report_needs import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class GonePermission(Part):
    """A permission that no remaining code shows.

    Attributes:
        id: row of the taxonomy.
        scope: as in the permission.
    """

    id: str
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured(Part):
    """Code a kernel removes once read-only data is frozen, and the needs of the rest.

    It depends on values a loader may change, so it never lowers the label.

    Attributes:
        variables: constants that were given a value; empty for those of the object.
        oldest_kernel: ``major.minor``, for the code that is left.
        reasons: newest kernel first.
        functions: no longer reached.
        maps: no longer referred to by code; loaders may still make them.
        helpers: no longer called, by name.
        kernel_functions: no longer called, by name.
        permissions: no longer shown.
        instructions: no longer reached, over all programs.
    """

    oldest_kernel: str
    variables: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    functions: tuple[str, ...] = ()
    maps: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()
    kernel_functions: tuple[str, ...] = ()
    permissions: tuple[GonePermission, ...] = ()
    instructions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard(Part):
    """Whether a program fits a way of sharing a hook.

    Attributes:
        program: its name.
        standard: ``l3af chain``, ``libxdp dispatcher`` or ``skep chain``.
        conforms: nothing in the object speaks against it.
        reasons: what does, a sentence each.
        facts: what a chain would use, for example ``priority 50``.
    """

    program: str
    standard: str
    conforms: bool
    reasons: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime(Part):
    """Whether a program might run somewhere else: evidence, never a promise.

    Attributes:
        program: its name.
        runtime: ``ubpf``, ``rbpf``, ``bpftime``, ``windows`` or ``nic``.
        candidate: nothing that is known speaks against it.
        reasons: what does, a sentence each.
        conditions: what the runtime's owner has to provide.
    """

    program: str
    runtime: str
    candidate: bool
    reasons: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
