"""All snippets by name, and in which program types they may be drawn."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.soundness.drafting import Draft
from tests.soundness.kinds import ProgramKind

Write = Callable[[Draft], None]
Need = int | str | tuple[int | str, ...]
Fits = Callable[[ProgramKind], bool]


@dataclass(frozen=True)
class Snippet:
    """Writes some lines; leaves registers and slots as :mod:`..drafting` says.

    Attributes:
        needs: helpers (numbers) and kernel functions (names) of which at least one, in each
            group, is needed; the generator asks the kernel whether the type has them.
        weight: how often it is drawn.
    """

    name: str
    write: Write
    fits: Fits
    needs: tuple[Need, ...]
    weight: float


SNIPPETS: dict[str, Snippet] = {}


def _always(_kind: ProgramKind) -> bool:
    return True


def snippet(
    *needs: Need, fits: Fits = _always, weight: float = 2, name: str = ""
) -> Callable[[Write], Write]:
    """Enter a function into the table."""

    def enter(write: Write) -> Write:
        called = name or write.__name__
        SNIPPETS[called] = Snippet(called, write, fits, needs, weight)
        return write

    return enter


def has_packet(kind: ProgramKind) -> bool:
    return kind.packet is not None


def writes_packet(kind: ProgramKind) -> bool:
    return kind.writes_packet


def is_skb(kind: ProgramKind) -> bool:
    return kind.is_skb and kind.name != "FLOW_DISSECTOR"


def is_xdp(kind: ProgramKind) -> bool:
    return kind.name == "XDP"


def is_tc(kind: ProgramKind) -> bool:
    return kind.type in {"SCHED_CLS", "SCHED_ACT"}


def has_readable(kind: ProgramKind) -> bool:
    return bool(kind.readable)


def has_writable(kind: ProgramKind) -> bool:
    return bool(kind.writable)


def not_sleepable(kind: ProgramKind) -> bool:
    return not kind.is_sleepable
