"""Putting the answers of CO-RE records into instructions.

Before anything is written, the instruction must hold what the compiler put in for the object's
own types; another value means that record and code do not belong together.

Source: ``bpf_core_patch_insn`` in tools/lib/bpf/relo_core.c of Linux 6.18.
"""

from collections.abc import Sequence

from skep.bytecode.btf.types import Kind
from skep.bytecode.isa.codes import CALL, LDDW, POISON
from skep.bytecode.isa.fields import ALU, ALU64, BY_REGISTER, LD, LDX, SIZE, SIZE_BYTES, ST, STX
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.core.kinds import CoreKind
from skep.bytecode.linking.core.values import Resolution, Size
from skep.bytecode.linking.errors import CannotLink, CorruptRelocation

_LARGEST_OFFSET = 0x7FFF
_WIDTHS = {size: bits for bits, size in SIZE_BYTES.items()}
_SIGNED = 1  # BTF_INT_SIGNED


def holds(code: Sequence[Instruction], slot: int, value: int) -> bool:
    """Whether the instruction at ``slot`` has ``value`` where :func:`patch` would write."""
    each = code[slot]
    match each.opcode & 7:
        case kind if kind in (ALU, ALU64) and not each.opcode & BY_REGISTER:
            return not (each.immediate - value) & ((1 << 32) - 1)
        case kind if kind in (LDX, ST, STX):
            return each.offset == value
        case kind if kind == LD and each.opcode == LDDW and not each.src and not each.offset:
            found = code[slot + 1].immediate << 32 | each.immediate & 0xFFFFFFFF
            return not (found - value) & ((1 << 64) - 1)
        case _:
            return False


def patch(code: list[Instruction], resolution: Resolution) -> bool:
    """Change the instruction that ``resolution`` is about.

    Returns:
        False if it was poisoned: the verifier refuses the program if it can be reached.

    Raises:
        CorruptRelocation: the instruction does not hold what the record says it does.
        CannotLink: the answer does not fit into the instruction.
    """
    slot = resolution.record.slot
    each = code[slot]
    target = resolution.target
    if target is None:
        return _poison(code, slot)
    match each.opcode & 7:
        case kind if kind in (ALU, ALU64) and not each.opcode & BY_REGISTER:
            _check(resolution, each.immediate, bits=32)
            _check_range(resolution, target.value)
            code[slot] = each._replace(immediate=_signed(target.value, 32))
        case kind if kind in (LDX, ST, STX):
            return _patch_access(code, resolution, target.size, target.value)
        case kind if kind == LD and each.opcode == LDDW and not each.src and not each.offset:
            second = code[slot + 1]
            _check(resolution, second.immediate << 32 | each.immediate & 0xFFFFFFFF, bits=64)
            code[slot] = each._replace(immediate=_signed(target.value, 32))
            code[slot + 1] = second._replace(immediate=_signed(target.value >> 32, 32))
        case _:
            raise _corrupt(resolution, f"an instruction with opcode 0x{each.opcode:02x}")
    return True


def _patch_access(
    code: list[Instruction], resolution: Resolution, size: Size | None, value: int
) -> bool:
    """A load or store at an offset: offset, and width if the field has another size."""
    slot = resolution.record.slot
    each = code[slot]
    _check(resolution, each.offset, bits=16)
    if not 0 <= value <= _LARGEST_OFFSET:
        raise CannotLink(
            f"function {resolution.record.function}: {resolution.path} is at byte {value} in "
            f"this kernel, beyond what a load can reach ({_LARGEST_OFFSET})"
        )
    local = resolution.local.size
    if local is None or size is None or local.in_bytes == size.in_bytes:
        code[slot] = each._replace(offset=value)
        return True
    if not _may_change_width(local, size):
        return _poison(code, slot)
    width = _WIDTHS.get(size.in_bytes)
    if width is None or _WIDTHS.get(local.in_bytes) != each.opcode & SIZE:
        raise _corrupt(resolution, f"a load or store of {local.in_bytes} bytes")
    code[slot] = each._replace(opcode=each.opcode & ~SIZE | width, offset=value)
    return True


def _may_change_width(local: Size, target: Size) -> bool:
    # Upper bits are filled with zeros, which is right for pointers and unsigned integers only.
    if local.type.kind is Kind.PTR and target.type.kind is Kind.PTR:
        return True
    return (
        local.type.kind is Kind.INT
        and target.type.kind is Kind.INT
        and not local.type.encoding & _SIGNED
        and not target.type.encoding & _SIGNED
    )


def _poison(code: list[Instruction], slot: int) -> bool:
    halves = 2 if code[slot].opcode == LDDW else 1
    code[slot : slot + halves] = [Instruction(CALL, immediate=POISON)] * halves
    return False


def _check(resolution: Resolution, found: int, *, bits: int) -> None:
    expected = resolution.local.value
    if resolution.local.is_certain and (found - expected) & ((1 << bits) - 1):
        raise _corrupt(resolution, f"the value {expected}, got {found}")


def _check_range(resolution: Resolution, value: int) -> None:
    if not -(1 << 31) <= value < 1 << 32:
        what = CoreKind(resolution.record.kind).name
        raise CannotLink(
            f"function {resolution.record.function}: {what} of {resolution.path} is {value} in "
            "this kernel, which does not fit into its instruction"
        )


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _corrupt(resolution: Resolution, expected: str) -> CorruptRelocation:
    record = resolution.record
    return CorruptRelocation(
        f"function {record.function}: expected {expected} at instruction {record.slot}, where the "
        f"object records {CoreKind(record.kind).name} of {resolution.path}",
        hint="the object was made by hand or damaged; compile it again",
    )
