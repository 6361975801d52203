"""One instruction as the kernel's verifier prints it in its log.

Own code after the format of kernel/bpf/disasm.c of Linux 6.18. What an object has not got
yet (addresses, distances between functions) is for the caller to name.
"""

from skep.bytecode.isa import fields as f
from skep.bytecode.isa.codes import CALL, LDDW
from skep.bytecode.isa.helpers import HELPERS
from skep.bytecode.isa.instructions import Instruction

_OPERATORS = {
    f.ADD: "+=", f.SUB: "-=", f.MUL: "*=", f.DIV: "/=", f.OR: "|=", f.AND: "&=", f.SHL: "<<=",
    f.SHR: ">>=", f.MOD: "%=", f.XOR: "^=", f.MOV: "=", f.ARSH: "s>>=",
}  # fmt: skip
_SIGNED = {f.DIV: "s/=", f.MOD: "s%="}
_CONDITIONS = {
    f.JEQ: "==", f.JGT: ">", f.JGE: ">=", f.JSET: "&", f.JNE: "!=", f.JSGT: "s>", f.JSGE: "s>=",
    f.JLT: "<", f.JLE: "<=", f.JSLT: "s<", f.JSLE: "s<=",
}  # fmt: skip
_SIZES = {size: f"u{8 * width}" for size, width in f.SIZE_BYTES.items()}
_CASTS = {8: "(s8)", 16: "(s16)", 32: "(s32)"}
_ATOMIC = {f.ADD: "add", f.OR: "or", f.AND: "and", f.XOR: "xor"}
_UNKNOWN = (
    "BUG_ld", "BUG_ldx", "BUG_st", "BUG", "BUG_alu", "BUG_jmp", "BUG_jmp", "BUG_alu",
)  # fmt: skip
_U32 = 0xFFFF_FFFF


def text_of(instruction: Instruction, upper: int = 0) -> str:
    """The instruction without slot and opcode; unknown ones are ``BUG_…``.

    Args:
        upper: immediate of the second slot of a ``lddw``.

    >>> text_of(Instruction(0x61, 1, 6, 16))
    'r1 = *(u32 *)(r6 +16)'
    >>> text_of(Instruction(0x2D, 1, 2, 3))
    'if r1 > r2 goto pc+3'
    """
    match instruction.opcode & f.CLASS:
        case f.ALU | f.ALU64:
            text = _arithmetic(instruction)
        case f.JMP | f.JMP32:
            text = _jump(instruction)
        case f.STX:
            text = _store(instruction)
        case f.ST:
            text = _store_number(instruction)
        case f.LDX:
            text = _load(instruction)
        case _:
            text = _load_special(instruction, upper)
    return text or f"{_UNKNOWN[instruction.opcode & 7]}_{instruction.opcode:02x}"


def _arithmetic(instruction: Instruction) -> str:
    opcode, dst, src, offset, immediate = instruction
    letter = "w" if opcode & f.CLASS == f.ALU else "r"
    operation = opcode & f.OPERATION
    if operation == f.END:
        kind = "bswap" if letter == "r" else "be" if opcode & 8 else "le"
        return f"r{dst} = {kind}{immediate} r{dst}"
    if operation == f.NEG:
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
        cast = _CASTS.get(offset, "") if operation == f.MOV else ""
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
    condition = _CONDITIONS.get(opcode & f.OPERATION)
    if condition is None:
        return ""
    letter = "w" if opcode & f.CLASS == f.JMP32 else "r"
    other = f"{letter}{src}" if opcode & 8 else f"0x{immediate & _U32:x}"
    return f"if {letter}{dst} {condition} {other} goto pc{offset:+d}"


def _call(source: int, immediate: int) -> str:
    if source == 1:
        return f"call pc{immediate:+d}"
    facts = HELPERS.get(immediate) if source == 0 else None
    return f"call {'unknown' if facts is None else facts.name}#{immediate}"


def _store(instruction: Instruction) -> str:
    opcode, dst, src, offset, immediate = instruction
    size = _SIZES[opcode & f.SIZE]
    place = f"*({size} *)(r{dst} {offset:+d})"
    mode = opcode & f.MODE
    if mode == f.MEM:
        return f"{place} = r{src}"
    if mode != f.ATOMIC:
        return ""
    bits = "64" if size == "u64" else ""
    pointer = f"({size} *)(r{dst} {offset:+d})"
    if immediate in _ATOMIC:
        return f"lock {place} {_OPERATORS[immediate]} r{src}"
    if immediate & ~1 in _ATOMIC:
        return f"r{src} = atomic{bits}_fetch_{_ATOMIC[immediate & ~1]}({pointer}, r{src})"
    others = {
        f.XCHG: f"r{src} = atomic{bits}_xchg({pointer}, r{src})",
        f.CMPXCHG: f"r0 = atomic{bits}_cmpxchg({pointer}, r0, r{src})",
        f.LOAD_ACQUIRE: f"r{dst} = load_acquire(({size} *)(r{src} {offset:+d}))",
        f.STORE_RELEASE: f"store_release({pointer}, r{src})",
    }
    return others.get(immediate, "")


def _store_number(instruction: Instruction) -> str:
    opcode, dst, _, offset, immediate = instruction
    if opcode & f.MODE == f.ATOMIC:
        return "nospec"
    if opcode & f.MODE != f.MEM:
        return ""
    return f"*({_SIZES[opcode & f.SIZE]} *)(r{dst} {offset:+d}) = {immediate}"


def _load(instruction: Instruction) -> str:
    opcode, dst, src, offset, _ = instruction
    size = _SIZES[opcode & f.SIZE]
    if opcode & f.MODE == f.MEMSX and size != "u64":
        size = size.replace("u", "s")
    elif opcode & f.MODE != f.MEM:
        return ""
    return f"r{dst} = *({size} *)(r{src} {offset:+d})"


def _load_special(instruction: Instruction, upper: int) -> str:
    opcode, dst, src, _, immediate = instruction
    if opcode == LDDW:
        return f"r{dst} = 0x{(upper & _U32) << 32 | immediate & _U32:x}"
    size = _SIZES[opcode & f.SIZE]
    if opcode & f.MODE == f.ABS:
        return f"r0 = *({size} *)skb[{immediate}]"
    if opcode & f.MODE == f.IND:
        return f"r0 = *({size} *)skb[r{src} + {immediate}]"
    return ""
