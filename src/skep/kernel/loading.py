"""Loading a program of a load plan, whose maps are there.

A program is loaded with log level 4, which costs little and gives the statistics; if the verifier
says no, it is asked once more with level 1 for the trace that a person needs.

Sources: ``bpf_prog_load`` in kernel/bpf/syscall.c, ``bpf_check`` in kernel/bpf/verifier.c,
``bpf_vlog_finalize`` in kernel/bpf/log.c of Linux 6.12.
"""

import ctypes
import errno
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from skep.bytecode.isa.codes import (
    LDDW,
    MOST_INSTRUCTIONS,
    PSEUDO_MAP_FD,
    PSEUDO_MAP_INDEX,
    PSEUDO_MAP_INDEX_VALUE,
    PSEUDO_MAP_VALUE,
)
from skep.bytecode.isa.instructions import Instruction, encode
from skep.bytecode.linking.plan import ProgramPlan
from skep.kernel.attributes import BpfCommand, ProgramInfo, ProgramLoad
from skep.kernel.descriptors import FileDescriptor, Owner
from skep.kernel.errors import KernelRefused, LacksPrivilege, MalformedPlan, VerifierRefused
from skep.kernel.information import read_info
from skep.kernel.maps import LoadedMap
from skep.kernel.names import shortened
from skep.kernel.syscall import BpfError, address, bpf_accounted, error_name, failure
from skep.kernel.verifier_log import (
    explained,
    first_line,
    last_slot,
    printable,
    reached_poison,
    stack_depth,
    walked_instructions,
)

_LEVEL_STATISTICS = 4
_LEVEL_TRACE = 1
_FIRST_LOG_BYTES = 1 << 16
_LARGEST_LOG_BYTES = (1 << 24) - 1  # what kernels before 5.2 accept; a person reads less
_TRACE_BYTES = 64  # at level 1, for one instruction that was walked
_FUNCTION = struct.Struct("=II")  # struct bpf_func_info
_LINE = struct.Struct("=IIII")  # struct bpf_line_info
_INDEX_TO_DESCRIPTOR = {
    PSEUDO_MAP_INDEX: PSEUDO_MAP_FD,
    PSEUDO_MAP_INDEX_VALUE: PSEUDO_MAP_VALUE,
}


class LoadedProgram(Owner):
    """A program in the kernel, as long as its descriptor, a pin or a link holds it.

    Attributes:
        id: the kernel's number for it.
        name: what the kernel keeps of its name (15 characters).
        program_tag: the kernel's tag of its instructions, 16 hexadecimal digits.
        verified_instructions: how many the verifier walked, ``None`` before Linux 5.16.
        stack_bytes: stack of the entry function, ``None`` if the log did not say or the program
            was opened, not loaded.
        verifier_log: statistics of the load; empty if opened.
    """

    __slots__ = (
        "id",
        "name",
        "program_tag",
        "stack_bytes",
        "verified_instructions",
        "verifier_log",
    )

    def __init__(self, descriptor: FileDescriptor, verifier_log: str = "") -> None:
        super().__init__(descriptor)
        info = read_info(descriptor, ProgramInfo(), "a program")
        self.id = int(info.id)
        self.name = info.name.decode("ascii", "replace")
        self.program_tag = bytes(info.tag).hex()
        self.verified_instructions = int(info.verified_insns) or None
        self.stack_bytes = stack_depth(verifier_log)
        self.verifier_log = verifier_log

    def __repr__(self) -> str:
        return f"LoadedProgram({self.name!r}, id {self.id})"


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One answer to ``BPF_PROG_LOAD``: a descriptor, or an error; and a log."""

    descriptor: FileDescriptor | None
    error: BpfError | None
    log: str


def load_program(
    program: ProgramPlan,
    maps: Sequence[LoadedMap],
    *,
    kernel_name: str = "",
    types: FileDescriptor | None = None,
) -> LoadedProgram:
    """Load one program.

    With types the verifier's log has source lines. Where the kernel refuses a program only
    because of them, it is loaded without, unless its plan needs them.

    Args:
        program: its plan.
        maps: in the order of the plan's map indexes.
        kernel_name: name to give it in the kernel, the plan's if empty; shortened to 15
            characters and cleaned.
        types: the object's types in the kernel, see :func:`skep.kernel.btf.load_types`.

    Raises:
        VerifierRefused: with the line that says why, and the whole log in ``detail``.
        MalformedPlan: the plan names a map that is not there.
        LacksPrivilege: not root, or a policy of the kernel forbids it.
        NotInThisKernel: the kernel does not know the program type or a field.
        KernelRefused: it said no without a reason, for example to the licence.
    """
    code = encode(with_descriptors(program.instructions, [m.descriptor.number for m in maps]))
    if not program.functions:
        types = None
    attempt = _attempt(program, code, kernel_name, _LEVEL_STATISTICS, types)
    if attempt.error is not None and types is not None and not program.needs_types:
        bare = _attempt(program, code, kernel_name, _LEVEL_STATISTICS, None)
        if bare.error is None:
            attempt = bare
    if attempt.error is not None:
        reason = attempt
        if reason.log:
            # A log that does not fit costs another verification, which may take seconds.
            room = min(_TRACE_BYTES * walked_instructions(reason.log), _LARGEST_LOG_BYTES)
            attempt = _attempt(program, code, kernel_name, _LEVEL_TRACE, types, room)
        if attempt.error is not None:
            _refuse(program, reason, attempt.log)
    descriptor = attempt.descriptor
    if descriptor is None:
        raise AssertionError  # an attempt has one or the other
    try:
        return LoadedProgram(descriptor, attempt.log)
    except BaseException:
        descriptor.close()
        raise


def with_descriptors(
    instructions: Sequence[Instruction], descriptors: Sequence[int]
) -> list[Instruction]:
    """Put descriptors where the plan has map indexes.

    Raises:
        MalformedPlan: an index outside ``descriptors``, a cut ``lddw``, or too many slots.
    """
    if not 0 < len(instructions) <= MOST_INSTRUCTIONS:
        raise MalformedPlan(f"expected 1 to {MOST_INSTRUCTIONS} slots, got {len(instructions)}")
    out = list(instructions)
    slot = 0
    while slot < len(out):
        each = out[slot]
        if each.opcode != LDDW:
            slot += 1
            continue
        if slot + 1 == len(out) or out[slot + 1].opcode:
            raise MalformedPlan(f"expected two slots for lddw at slot {slot}, got one")
        source = _INDEX_TO_DESCRIPTOR.get(each.src)
        if source is not None:
            if not 0 <= each.immediate < len(descriptors):
                raise MalformedPlan(
                    f"slot {slot} refers to map {each.immediate}, there are {len(descriptors)}"
                )
            out[slot] = each._replace(src=source, immediate=descriptors[each.immediate])
        slot += 2
    return out


def _attempt(
    program: ProgramPlan,
    code: bytes,
    name: str,
    level: int,
    types: FileDescriptor | None,
    room: int = 0,
) -> _Attempt:
    """Load with a log, with as much room for it as it needs.

    Args:
        room: bytes to begin with, if that is more than usual.
    """
    room = max(room, _FIRST_LOG_BYTES)
    functions = _records(_FUNCTION, program.functions)
    lines = _records(_LINE, program.lines)
    instructions = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(program.licence.encode("utf-8", "replace"))
    while True:
        log = ctypes.create_string_buffer(room)
        attribute = ProgramLoad(
            prog_type=program.program_type,
            expected_attach_type=program.attach_type,
            prog_flags=program.flags,
            insn_cnt=len(code) // 8,
            insns=address(instructions),
            license=address(licence),
            log_level=level,
            log_size=room,
            log_buf=address(log),
            prog_name=shortened(name or program.name),
            attach_btf_id=program.attach_btf_id,
        )
        if types is not None:
            attribute.prog_btf_fd = types.number
            attribute.func_info_rec_size = _FUNCTION.size
            attribute.func_info = address(functions)
            attribute.func_info_cnt = len(program.functions)
            if program.lines:
                attribute.line_info_rec_size = _LINE.size
                attribute.line_info = address(lines)
                attribute.line_info_cnt = len(program.lines)
        try:
            number = bpf_accounted(BpfCommand.PROG_LOAD, attribute)
        except BpfError as error:
            # ENOSPC: the log did not fit, whatever the verifier thought. Since 6.4 the kernel
            # says how much room it takes; before, we guess.
            if error.number == errno.ENOSPC and room < _LARGEST_LOG_BYTES:
                wanted = int(attribute.log_true_size)
                room = min(wanted if wanted > room else room * 8, _LARGEST_LOG_BYTES)
                continue
            return _Attempt(None, error, _text(log))
        return _Attempt(FileDescriptor(number), None, _text(log))


def _records(
    layout: struct.Struct, records: Sequence[tuple[int, ...]]
) -> "ctypes.Array[ctypes.c_char]":
    data = b"".join(layout.pack(*each) for each in records)
    return ctypes.create_string_buffer(data, max(len(data), 1))


def _text(log: "ctypes.Array[ctypes.c_char]") -> str:
    return printable(log.value.decode("utf-8", "replace"))


def _refuse(program: ProgramPlan, reason: _Attempt, trace: str) -> NoReturn:
    """Raise what a failed load means.

    Args:
        reason: the attempt with log level 4, whose first line counts.
        trace: the log at level 1.
    """
    error = reason.error
    if error is None:
        raise AssertionError  # called for failures only
    name = error_name(error.number)
    what = f"load program {program.name!r}"
    if not reason.log.strip():
        if error.number == errno.EPERM:
            raise LacksPrivilege(
                f"could not {what}: the kernel says EPERM before looking at it",
                hint="run as root, or with CAP_BPF and CAP_NET_ADMIN; if you are, lockdown or "
                "another policy of this kernel forbids this program type",
            ) from error
        if error.number == errno.EINVAL:
            raise KernelRefused(
                f"could not {what}: the kernel says EINVAL before looking at it",
                hint=f"type {program.program_type}, attach type {program.attach_type} or flags "
                f"{program.flags:#x} may be unknown to this kernel",
            ) from error
        raise failure(error, what) from error
    line = first_line(reason.log) or f"no reason given ({name})"
    slot = last_slot(trace)
    missing = reached_poison(program.poisons, line, trace)
    if missing:
        lacking = f"this kernel has no {missing}, and the program calls it without checking first"
        raise VerifierRefused(
            f"the kernel's verifier refused program {program.name!r}: {lacking}",
            reason=lacking,
            slot=slot,
            hint="use a kernel that has it; --verbose shows the whole verifier log",
            detail=trace or reason.log,
        ) from error
    raise VerifierRefused(
        f"the kernel's verifier refused program {program.name!r}: {line}",
        reason=explained(line),
        slot=slot,
        hint="--verbose shows the whole verifier log",
        detail=trace or reason.log,
    ) from error
