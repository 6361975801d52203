"""Registers and stack as the interpreter knows them where a block begins."""

from dataclasses import dataclass

from skep.bytecode.analysis.values import ANYTHING, UNKNOWN, Pointer, Value, join, widened


@dataclass(slots=True)
class State:
    """Registers and stack at the start of a block.

    Attributes:
        stack: values of 8-byte slots by offset from r10.
        is_open: a called function may have written pointers into the stack.
    """

    registers: list[Value]
    stack: dict[int, Value]
    is_open: bool = False
    visits: int = 0

    def join_stack(self, new: dict[int, Value], *, is_open: bool, wide: bool) -> bool:
        """Join slots; a missing one is a number, or anything where the stack is open."""
        old = self.stack
        missing = ANYTHING if is_open else UNKNOWN
        changed = False
        for offset, before in list(old.items()):
            now = new.get(offset, missing)
            if before is now or before == now:
                continue
            joined = join(before, now)
            if joined == before:
                continue
            changed = True
            if joined == UNKNOWN:
                del old[offset]
            else:
                old[offset] = widened(before, joined) if wide else joined
        for offset, now in new.items():
            if offset not in old and not self.is_open and isinstance(now, Pointer) and now.kinds:
                old[offset] = now  # joined with a number
                changed = True
        return changed


def forget_numbers(stack: dict[int, Value], start: int) -> None:
    """Drop what is known from ``start`` on; pointers stay."""
    for offset, held in list(stack.items()):
        if offset >= start and not (isinstance(held, Pointer) and held.kinds):
            del stack[offset]
