"""Structures and fields that a label names: what is read and written, as compiled and as linked.

The names come from CO-RE records, so they are those a loader looked for in the kernel's types.
"""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    R2,
    R3,
    R6,
    R10,
    Listing,
    add,
    alu,
    call,
    copy,
    leave,
    load,
    mov,
    one_program,
    permission,
    store,
)
from tests.builders.btf import BtfBuilder

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.linked import analyse_linked
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.table import read_btf
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.model import CoreRelocation, ObjectFile

CURRENT_TASK = 158  # get_current_task_btf
PROBE_READ_KERNEL = 113


def _types(structure: str, fields: Sequence[str]) -> tuple[BtfBuilder, int]:
    builder = BtfBuilder()
    number = builder.integer("unsigned int")
    members = [(name, number, 32 * index) for index, name in enumerate(fields)]
    return builder, builder.struct(structure, 256, members)


def named(
    listing: Listing,
    records: Sequence[tuple[int, int]],
    fields: Sequence[str] = ("mm", "cred"),
    structure: str = "task_struct",
    **settings: object,
) -> ObjectFile:
    """A program with records at slots, about fields by their index."""
    builder, type_id = _types(structure, fields)
    found = tuple(
        CoreRelocation("main", slot, type_id, structure, f"0:{index}", 0) for slot, index in records
    )
    made = one_program(*listing, **settings)  # type: ignore[arg-type]
    return replace(made, types=read_btf(builder.build(), "little"), core_relocations=found)


def fields(report: AnalysisReport, permission_id: str) -> tuple[str, ...]:
    found = permission(report, permission_id)
    assert found is not None
    return found.fields


WALK: Listing = [call(CURRENT_TASK), load(4, R1, R0, 0), load(4, R2, R0, 4), *leave(2)]
"""Two fields of the running task, read through a typed pointer."""


def test_loads_name_their_fields_once_each() -> None:
    report = analyse(named([*WALK[:2], load(4, R1, R0, 0), *WALK[2:]], [(1, 0), (2, 0), (3, 1)]))
    assert fields(report, "kernel.read_memory") == ("task_struct.mm", "task_struct.cred")


def test_loads_without_records_name_nothing() -> None:
    found = permission(analyse(named(WALK, [])), "kernel.read_memory")
    assert found is not None
    assert (found.fields, found.fields_count) == ((), 0)


def test_a_flavour_is_no_part_of_the_name() -> None:
    made = named(WALK, [(1, 0)], structure="task_struct___old")
    assert fields(analyse(made), "kernel.read_memory") == ("task_struct.mm",)


def test_at_most_twelve_are_named_and_all_are_counted() -> None:
    loads = [load(4, R1, R0, 4 * index) for index in range(15)]
    names = [f"field_{index}" for index in range(15)]
    made = named(
        [call(CURRENT_TASK), *loads, *leave(2)],
        [(index + 1, index) for index in range(15)],
        names,
    )
    found = permission(analyse(made), "kernel.read_memory")
    assert found is not None
    assert (len(found.fields), found.fields_count) == (12, 15)


PROBED: Listing = [
    call(CURRENT_TASK),
    mov(R3, 4),
    alu(0x0F, R3, source=R0),
    copy(R1, R10),
    add(R1, -8),
    mov(R2, 4),
    call(PROBE_READ_KERNEL),
    *leave(2),
]
"""The address of a field is computed and handed to a call that reads there."""


def test_a_call_that_reads_at_an_address_names_the_fields_addresses_are_made_of() -> None:
    assert fields(analyse(named(PROBED, [(1, 1)])), "kernel.read_memory") == ("task_struct.cred",)


def test_headers_of_packets_are_no_structures_of_the_kernel() -> None:
    made = named(PROBED, [(1, 1)], ("version", "tos"), "iphdr")
    assert fields(analyse(made), "kernel.read_memory") == ()


def test_code_that_is_never_reached_names_nothing() -> None:
    dead: Listing = [*PROBED[:-2], mov(R0, 2), EXIT, mov(R3, 0), EXIT]
    slot = len(dead) - 2
    assert fields(analyse(named(dead, [(1, 1), (slot, 0)])), "kernel.read_memory") == (
        "task_struct.cred",
    )


def test_stores_name_their_fields() -> None:
    listing: Listing = [load(8, R6, R1, 0), mov(R2, 1), store(4, R6, 0, R2), *leave(0)]
    made = named(
        listing,
        [(2, 0)],
        ("sk_txhash",),
        "sock",
        program_type="RAW_TRACEPOINT_WRITABLE",
        section="raw_tp.w/x",
    )
    found = permission(analyse(made), "kernel.write_memory")
    assert found is not None
    assert found.fields == ("sock.sk_txhash",)
    assert found.evidence[0].what == "store to sock.sk_txhash"


@pytest.mark.parametrize(
    ("listing", "slot"), [pytest.param(WALK, 2, id="load"), pytest.param(PROBED, 1, id="call")]
)
def test_what_is_loaded_has_the_names_of_the_package(listing: Listing, slot: int) -> None:
    made = named(listing, [(slot, 1)])
    kernel = KernelTypes.build(_types("task_struct", ["other", "mm", "cred"])[0].build())
    node = analyse_linked(link(made, kernel, LinkSettings()), made, kernel)
    assert fields(node, "kernel.read_memory") == ("task_struct.cred",)


def test_names_of_files_are_in_the_label_of_what_is_loaded() -> None:
    made = named(PROBED, [(1, 1)], ("d_flags", "d_name"), "dentry")
    kernel = KernelTypes.build(_types("dentry", ["other", "d_flags", "d_name"])[0].build())
    assert permission(analyse(made), "file.path") is not None
    node = analyse_linked(link(made, kernel, LinkSettings()), made, kernel)
    assert permission(node, "file.path") is not None
