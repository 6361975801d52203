"""Effects of return values: the rows of the verdict tables.

A program answers its hook with the low 32 bits of r0. What they mean differs from hook to hook,
and sometimes from bit to bit, so each place a program can be attached to has a table of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from skep.versions import KernelVersion

_HIGHEST = (1 << 31) - 1
_LOWEST = -(1 << 31)
_MOST_TRIED = 4_096


@dataclass(frozen=True, slots=True)
class Exactly:
    """One value, signed, 32 bits."""

    value: int

    def covers(self, value: int) -> bool:
        """Whether ``value`` is it."""
        return value == self.value

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Bits:
    """All values whose bits in ``mask`` are those of ``value``."""

    mask: int
    value: int

    def covers(self, value: int) -> bool:
        """Whether the bits of ``value`` are these."""
        return value & self.mask == self.value

    def __str__(self) -> str:
        number = self.mask.bit_length() - 1
        return f"bit {number} {'set' if self.value else 'clear'}"


@dataclass(frozen=True, slots=True)
class Between:
    """All values from ``lowest`` to ``highest``, both included, signed, 32 bits."""

    lowest: int = _LOWEST
    highest: int = _HIGHEST

    def covers(self, value: int) -> bool:
        """Whether ``value`` lies between them."""
        return self.lowest <= value <= self.highest

    def __str__(self) -> str:
        if self.lowest == _LOWEST:
            return f"below {self.highest + 1}"
        return f"{self.lowest} to {self.highest}"


@dataclass(frozen=True, slots=True)
class Others:
    """Every value no other row of the table covers."""

    def __str__(self) -> str:
        return "any other"


Which = Exactly | Bits | Between | Others


@dataclass(frozen=True, slots=True)
class Verdict:
    """A row: one value, or one bit, and its effect.

    Attributes:
        name: the kernel's word (``XDP_DROP``); a few words of ours where it has none.
        which: values it stands for.
        meaning: what the kernel does, for people: "drops the packet".
        permissions: rows of the taxonomy it shows; none if it has no effect that is one.
        passes: what the hook asks about goes on, as far as this row is concerned.
        by_redirect: the result of a helper that redirects is this value.
        is_certain: returning it is enough. ``False``: whether it has the effect is also decided
            elsewhere, so the permissions are possible.
        first_kernel: oldest Linux that takes the value; ``None``: as old as the hook.
    """

    name: str
    which: Which
    meaning: str
    permissions: tuple[str, ...] = ()
    passes: bool = False
    by_redirect: bool = False
    is_certain: bool = True
    first_kernel: KernelVersion | None = None

    @property
    def label(self) -> str:
        """The kernel's word; where it has none, what the kernel does."""
        return self.name if self.name.isupper() else self.meaning


@dataclass(frozen=True, slots=True)
class VerdictTable:
    """What the return values of one kind of program mean.

    Attributes:
        program_type: kernel name without prefix.
        attach_types: kernel names without prefix; none: all that no other table names, and
            programs that do not say.
        verdicts: rows. Several may cover one value, for example one for each bit.
        neutral: the value with which everything goes on as if there were no program; ``None`` if
            there is none, or the hook alone knows.
        scope: whose packets or sockets the program decides about: ``interface``, ``cgroup`` or
            ``socket``; empty where that makes no difference.
        accepted: least and greatest value the verifier lets a program return; ``None``: any.
        takes_error: ``bpf_set_retval`` may put another error in the place of EPERM.
    """

    program_type: str
    verdicts: tuple[Verdict, ...]
    attach_types: tuple[str, ...] = ()
    neutral: int | None = None
    scope: str = ""
    accepted: tuple[int, int] | None = None
    takes_error: bool = False

    def rows(self, value: int) -> tuple[Verdict, ...]:
        """The rows that cover a signed 32-bit value."""
        found = tuple(
            row
            for row in self.verdicts
            if not isinstance(row.which, Others) and row.which.covers(value)
        )
        return found or tuple(row for row in self.verdicts if isinstance(row.which, Others))

    def may_show(self, permission: str, lowest: int, highest: int) -> bool:
        """Whether some value from ``lowest`` to ``highest`` may show a permission."""
        if highest - lowest >= _MOST_TRIED:
            return permission in self.permissions
        return any(
            permission in row.permissions
            for value in range(lowest, highest + 1)
            for row in self.rows(value)
        )

    def redirects(self) -> tuple[Verdict, ...]:
        """The rows for the result of a helper that redirects."""
        return tuple(row for row in self.verdicts if row.by_redirect)

    def is_accepted(self, value: int) -> bool:
        """Whether the verifier lets a program return a signed 32-bit value."""
        return self.accepted is None or self.accepted[0] <= value <= self.accepted[1]

    def first_kernel(self, value: int) -> KernelVersion | None:
        """Oldest Linux that takes a value; ``None``: as old as the hook."""
        return max((row.first_kernel for row in self.rows(value) if row.first_kernel), default=None)

    @property
    def permissions(self) -> tuple[str, ...]:
        """Every permission some value shows, in order of the rows."""
        return tuple({name: None for row in self.verdicts for name in row.permissions})

    @property
    def values(self) -> Mapping[str, int]:
        """Values by the name of their row, for rows of one value.

        >>> from skep.hooks.packet_verdicts import XDP_VERDICTS
        >>> XDP_VERDICTS.values["XDP_PASS"]
        2
        """
        return {
            row.name: row.which.value for row in self.verdicts if isinstance(row.which, Exactly)
        }

    def named(self, prefix: str) -> Mapping[str, int]:
        """Values by the name an author writes: the kernel's, lower case, without ``prefix``."""
        return {name.removeprefix(prefix).lower(): value for name, value in self.values.items()}
