"""One instruction as the kernel's verifier prints it in its log.

Own code after the format of kernel/bpf/disasm.c of Linux 6.18. What an object has not got
yet (addresses, distances between functions) is for the caller to name.
"""

from skep.bytecode.isa.codes import CALL, LDDW
from skep.bytecode.isa.helpers import HELPERS
from skep.bytecode.isa.instructions import Instruction

_OPERATORS = {
    0x00: "+=", 0x10: "-=", 0x20: "*=", 0x30: "/=", 0x40: "|=", 0x50: "&=", 0x60: "<<=",
    0x70: ">>=", 0x90: "%=", 0xA0: "^=", 0xB0: "=", 0xC0: "s>>=",
}  # fmt: skip
_SIGNED = {0x30: "s/=", 0x90: "s%="}
_CONDITIONS = {
    0x10: "==", 0x20: ">", 0x30: ">=", 0x40: "&", 0x50: "!=", 0x60: "s>", 0x70: "s>=",
    0xA0: "<", 0xB0: "<=", 0xC0: "s<", 0xD0: "s<=",
}  # fmt: skip
_SIZES = {0x00: "u32", 0x08: "u16", 0x10: "u8", 0x18: "u64"}
_CASTS = {8: "(s8)", 16: "(s16)", 32: "(s32)"}
_ATOMIC = {0x00: "add", 0x40: "or", 0x50: "and", 0xA0: "xor"}
_UNKNOWN = (
    "BUG_ld", "BUG_ldx", "BUG_st", "BUG", "BUG_alu", "BUG_jmp", "BUG_jmp", "BUG_alu",
)  # fmt: skip
_U32 = 0xFFFF_FFFF


def text_of(instruction: Instruction, upper: int = 0) -> str:
    """The instruction without its slot and opcode; total: what nobody knows is ``BUG_…``.

    Args:
        upper: immediate of the second slot of a ``lddw``.

    >>> text_of(Instruction(0x61, 1, 6, 16))
    'r1 = *(u32 *)(r6 +16)'
    >>> text_of(Instruction(0x2D, 1, 2, 3))
    'if r1 > r2 goto pc+3'
    """
    match instruction.opcode & 7:
        case 0x04 | 0x07:
            text = _arithmetic(instruction)
        case 0x05 | 0x06:
            text = _jump(instruction)
        case 0x03:
            text = _store(instruction)
        case 0x02:
            text = _store_number(instruction)
        case 0x01:
            text = _load(instruction)
        case _:
            text = _load_special(instruction, upper)
    return text or f"{_UNKNOWN[instruction.opcode & 7]}_{instruction.opcode:02x}"


def _arithmetic(instruction: Instruction) -> str:
    opcode, dst, src, offset, immediate = instruction
    letter = "w" if opcode & 7 == 0x04 else "r"
    operation = opcode & 0xF0
    if operation == 0xD0:
        kind = "bswap" if letter == "r" else "be" if opcode & 8 else "le"
        return f"r{dst} = {kind}{immediate} r{dst}"
    if operation == 0x80:
        return f"{letter}{dst} = -{letter}{dst}"
    if opcode == 0xBF and offset == 1:
        spaces = immediate & _U32
        return f"r{dst} = addr_space_cast(r{src}, {spaces >> 16}, {spaces & 0xFFFF})"
    if opcode == 0xBF and offset == -1:
        return f"r{dst} = &(void __percpu *)(r{src})"
    operator = _OPERATORS.get(operation, "")
    if offset == 1:
        operator = _SIGNED.get(operation, operator)
    if not operator:
        return ""
    if opcode & 8:
        cast = _CASTS.get(offset, "") if operation == 0xB0 else ""
        return f"{letter}{dst} {operator} {cast}{letter}{src}"
    return f"{letter}{dst} {operator} {immediate}"


def _jump(instruction: Instruction) -> str:
    opcode, dst, src, offset, immediate = instruction
    if opcode == CALL:
        return _call(src, immediate)
    fixed = {
        0x05: f"goto pc{offset:+d}",
        0x06: f"gotol pc{immediate:+d}",
        0x0D: f"gotox r{dst}",
        0x95: "exit",
        0xE5: f"may_goto pc{offset:+d}",
    }
    if opcode in fixed:
        return fixed[opcode]
    condition = _CONDITIONS.get(opcode & 0xF0)
    if condition is None:
        return ""
    letter = "w" if opcode & 7 == 0x06 else "r"
    other = f"{letter}{src}" if opcode & 8 else f"0x{immediate & _U32:x}"
    return f"if {letter}{dst} {condition} {other} goto pc{offset:+d}"


def _call(source: int, immediate: int) -> str:
    if source == 1:
        return f"call pc{immediate:+d}"
    facts = HELPERS.get(immediate) if source == 0 else None
    return f"call {'unknown' if facts is None else facts.name}#{immediate}"


def _store(instruction: Instruction) -> str:
    opcode, dst, src, offset, immediate = instruction
    size = _SIZES[opcode & 0x18]
    place = f"*({size} *)(r{dst} {offset:+d})"
    mode = opcode & 0xE0
    if mode == 0x60:
        return f"{place} = r{src}"
    if mode != 0xC0:
        return ""
    bits = "64" if size == "u64" else ""
    pointer = f"({size} *)(r{dst} {offset:+d})"
    if immediate in _ATOMIC:
        return f"lock {place} {_OPERATORS[immediate]} r{src}"
    if immediate & ~1 in _ATOMIC:
        return f"r{src} = atomic{bits}_fetch_{_ATOMIC[immediate & ~1]}({pointer}, r{src})"
    others = {
        0xE1: f"r{src} = atomic{bits}_xchg({pointer}, r{src})",
        0xF1: f"r0 = atomic{bits}_cmpxchg({pointer}, r0, r{src})",
        0x100: f"r{dst} = load_acquire(({size} *)(r{src} {offset:+d}))",
        0x110: f"store_release({pointer}, r{src})",
    }
    return others.get(immediate, "")


def _store_number(instruction: Instruction) -> str:
    opcode, dst, _, offset, immediate = instruction
    if opcode & 0xE0 == 0xC0:
        return "nospec"
    if opcode & 0xE0 != 0x60:
        return ""
    return f"*({_SIZES[opcode & 0x18]} *)(r{dst} {offset:+d}) = {immediate}"


def _load(instruction: Instruction) -> str:
    opcode, dst, src, offset, _ = instruction
    size = _SIZES[opcode & 0x18]
    if opcode & 0xE0 == 0x80 and size != "u64":
        size = size.replace("u", "s")
    elif opcode & 0xE0 != 0x60:
        return ""
    return f"r{dst} = *({size} *)(r{src} {offset:+d})"


def _load_special(instruction: Instruction, upper: int) -> str:
    opcode, dst, src, _, immediate = instruction
    if opcode == LDDW:
        return f"r{dst} = 0x{(upper & _U32) << 32 | immediate & _U32:x}"
    size = _SIZES[opcode & 0x18]
    if opcode & 0xE0 == 0x20:
        return f"r0 = *({size} *)skb[{immediate}]"
    if opcode & 0xE0 == 0x40:
        return f"r0 = *({size} *)skb[r{src} + {immediate}]"
    return ""
