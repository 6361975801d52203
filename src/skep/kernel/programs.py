"""Programs in the kernel by id: what they are, whoever loaded them, and how often they ran."""

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from skep.kernel.attributes import (
    PROGRAM_TYPES,
    BpfCommand,
    GetId,
    ProgramInfo,
)
from skep.kernel.information import open_by_id, read_info
from skep.kernel.syscall import BpfError, bpf, failure

_TYPE_NAMES = {number: name for name, number in PROGRAM_TYPES.items()}


@dataclass(frozen=True, slots=True)
class ProgramFacts:
    """What the kernel says about a program.

    Attributes:
        id: its number.
        name: at most 15 characters; empty if it has none.
        type: kernel name of its type without prefix: ``KPROBE``.
        tag: the kernel's tag of its instructions (not an OCI tag), 16 hexadecimal digits.
        loaded_at: time since boot.
        user: user id that loaded it.
        verified_instructions: how many the verifier walked, ``None`` before Linux 5.16.
        run_count: runs, while statistics were on.
        run_time: time spent in them.
    """

    id: int
    name: str
    type: str
    tag: str
    loaded_at: timedelta
    user: int
    verified_instructions: int | None
    run_count: int
    run_time: timedelta


def describe_program(identity: int) -> ProgramFacts:
    """Facts of the program with an id.

    Raises:
        KernelObjectMissing: there is none (any more).
        LacksPrivilege: not root.
    """
    with open_by_id(BpfCommand.PROG_GET_FD_BY_ID, identity, f"program {identity}") as descriptor:
        info = read_info(descriptor, ProgramInfo(), f"program {identity}")
    number = int(info.type)
    return ProgramFacts(
        id=int(info.id),
        name=info.name.decode("ascii", "replace"),
        type=_TYPE_NAMES.get(number, f"type {number}"),
        tag=bytes(info.tag).hex(),
        loaded_at=timedelta(microseconds=info.load_time / 1000),
        user=int(info.created_by_uid),
        verified_instructions=int(info.verified_insns) or None,
        run_count=int(info.run_cnt),
        run_time=timedelta(microseconds=info.run_time_ns / 1000),
    )


def program_ids() -> Iterator[int]:
    """Ids of all programs in the kernel, ascending.

    Raises:
        LacksPrivilege: not root.
    """
    current = 0
    while True:
        attribute = GetId(start_id=current)
        try:
            bpf(BpfCommand.PROG_GET_NEXT_ID, attribute)
        except BpfError as error:
            if error.number == errno.ENOENT:
                return
            raise failure(error, "list the programs in the kernel") from error
        current = int(attribute.next_id)
        yield current
