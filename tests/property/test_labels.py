"""The law of the two labels: what is loaded lies within what was published.

Random objects ask random kernels for everything a loader can put in: CO-RE records of all thirteen
kinds (true claims, false ones, about structures of the kernel, contexts and packet headers), weak
kernel functions and variables, values of the configuration, constants with settings. Whatever
comes out:

* the instructions that are analysed are those of the plan;
* ids and scopes of the node label are in the package label of the program;
* what is shown is not less certain than it was;
* data flow that could follow the program as compiled can follow it as linked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R10,
    Line,
    Reference,
    add,
    call,
    copy,
    flat,
    function,
    kernel_call,
    load,
    local,
    map_address,
    mov,
    object_file,
    store,
    symbol_address,
    value_address,
)
from tests.builders.btf import BtfBuilder
from tests.builders.objects import fixture, fixture_names
from tests.builders.random_programs import chains

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.label_bounds import exceeding, label_changes, within
from skep.bytecode.analysis.linked import analyse_linked
from skep.bytecode.analysis.report import EXCLUDED, Permission
from skep.bytecode.analysis.texts import confidence_rank
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.table import TypeTable, read_btf
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.core.access import parse_access
from skep.bytecode.linking.core.kinds import CoreKind
from skep.bytecode.linking.core.values import answer_in
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import LoadPlan
from skep.bytecode.linking.reading_back import read_back
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.model import (
    CoreRelocation,
    Extern,
    MapSpec,
    ObjectFile,
    ProgramSpec,
    Variable,
)
from skep.chains.member import Member
from skep.chains.splicing import splice
from skep.errors import SkepError

CONTEXT, NUMBER, PLACE = 6, 7, 8
"""Registers that hold a context, a number, and an address of some kind."""

_MAPS = (
    MapSpec(".rodata", 2, 4, 16, 1, 0x80, data=bytes(range(16)), origin="data"),
    MapSpec(".data", 2, 4, 16, 1, data=bytes(16), origin="data"),
    MapSpec("counts", 2, 4, 8, 4),
    MapSpec("events", 4, 4, 4, 4),
    MapSpec("sockets", 17, 4, 4, 4),
    MapSpec("tails", 3, 4, 4, 4),
)
_EXTERNS = (
    Extern("bpf_rdonly_cast", "kfunc", is_weak=True),
    Extern("bpf_send_signal_task___v2", "kfunc", is_weak=True),
    Extern("counter", "kernel_variable", is_weak=True),
    Extern("address", "kernel_variable", is_weak=True),
    Extern("LINUX_KERNEL_VERSION", "kconfig"),
    Extern("CONFIG_HZ", "kconfig", is_weak=True),
)
_TYPES = ("XDP", "SCHED_CLS", "SOCKET_FILTER", "CGROUP_SKB", "CGROUP_SOCK_ADDR", "KPROBE")
_SECTIONS = {"SOCKET_FILTER": "socket", "SCHED_CLS": "tc", "CGROUP_SOCK_ADDR": "cgroup/bind4"}
_SORTS = [
    "ask",
    "ask",
    "access",
    "access",
    "store",
    "moved",
    "constant",
    "version",
    "weak",
    "output",
    "room",
    "redirect",
    "tail",
    "spill",
    "fill",
    "keep",
    "call",
    "number",
]
_OFFSETS = st.integers(0, 200)
_SIZES = st.sampled_from([1, 2, 4, 8])
_ADJUST_ROOM, _OUTPUT, _REDIRECT, _TAIL_CALL = 50, 25, 51, 12


@dataclass
class Claims:
    """Types of an object, and the records that can be made about them."""

    types: TypeTable
    questions: Sequence[tuple[int, str, CoreKind]]


def _integers(types: BtfBuilder) -> dict[int, int]:
    return {size: types.integer(f"u{size * 8}", size) for size in (1, 2, 4, 8)}


def _placed(
    types: BtfBuilder, name: str, fields: Sequence[tuple[str, int, int]], numbers: dict[int, int]
) -> int:
    members = [(field, numbers[size], offset * 8) for field, size, offset in fields]
    return types.struct(name, 256, members)


@st.composite
def claims(draw: st.DrawFn) -> Claims:
    """An object's types: what it says about ``task_struct``, ``ethhdr``, ``xdp_md`` and others."""
    types = BtfBuilder()
    numbers = _integers(types)
    roots: list[tuple[int, int]] = []

    def structure(name: str, fields: Sequence[tuple[str, int, int]]) -> None:
        if draw(st.booleans()):  # a false claim
            fields = [(field, draw(_SIZES), draw(_OFFSETS)) for field, _, _ in fields]
        flavour = draw(st.sampled_from(["", "___mine"]))
        roots.append((_placed(types, name + flavour, fields, numbers), len(fields)))

    structure("task_struct", [("pid", 4, 8), ("flags", 8, 16)])
    structure("ethhdr", [("h_proto", 2, 12)])
    structure("xdp_md", [("data", 4, 0), ("data_end", 4, 4), ("rx_queue_index", 4, 16)])
    structure("__sk_buff", [("mark", 4, 8), ("data", 4, 76), ("tstamp", 8, 152)])
    bits = [("low", numbers[4], 3 << 24), ("high", numbers[4], 9 << 24 | 3)]
    roots.append((types.struct("bits", 4, bits, flag=True), 2))
    enumeration = types.enum("bpf_func_id", [("BPF_FUNC_a", 3), ("BPF_FUNC_b", 4)])
    questions = [
        (root, f"0:{index}", kind)
        for root, count in roots
        for index in range(count)
        for kind in CoreKind
        if kind <= CoreKind.FIELD_RSHIFT_U64
    ]
    questions += [
        (root, "0", kind)
        for root, _ in roots
        for kind in CoreKind
        if kind
        in (
            CoreKind.TYPE_ID_LOCAL,
            CoreKind.TYPE_ID_TARGET,
            CoreKind.TYPE_EXISTS,
            CoreKind.TYPE_SIZE,
            CoreKind.TYPE_MATCHES,
        )
    ]
    questions += [
        (enumeration, str(index), kind)
        for index in (0, 1)
        for kind in (CoreKind.ENUMVAL_EXISTS, CoreKind.ENUMVAL_VALUE)
    ]
    _declare_externs(types, numbers[4])
    return Claims(read_btf(types.build(), "little"), questions)


def _declare_externs(types: BtfBuilder, number: int) -> None:
    for name in ("bpf_rdonly_cast", "bpf_send_signal_task___v2"):
        types.function(name)
    types.variable("counter", number)
    types.variable("address", 0)
    wanted = [types.variable(name, number) for name in ("LINUX_KERNEL_VERSION", "CONFIG_HZ")]
    types.datasec(".kconfig", [(each, 4 * index, 4) for index, each in enumerate(wanted)], 8)


@st.composite
def kernels(draw: st.DrawFn) -> KernelTypes:
    """Types of a kernel: contexts and headers as they are or left out, all else anywhere."""
    types = BtfBuilder()
    numbers = _integers(types)

    def structure(name: str, fields: Sequence[str]) -> None:
        if draw(st.integers(0, 3)):
            kept = [
                (field, draw(_SIZES), draw(_OFFSETS)) for field in fields if draw(st.booleans())
            ]
            _placed(types, name, kept, numbers)

    def known(name: str, fields: Sequence[tuple[str, int, int]]) -> None:
        if draw(st.booleans()):
            _placed(types, name, fields, numbers)

    structure("task_struct", ["pid", "flags", "other"])
    structure("bits", ["low", "high"])
    known("ethhdr", [("h_proto", 2, 12)])
    known("xdp_md", [("data", 4, 0), ("data_end", 4, 4), ("rx_queue_index", 4, 16)])
    known("__sk_buff", [("mark", 4, 8), ("data", 4, 76), ("tstamp", 8, 152)])
    values = [("BPF_FUNC_a", draw(st.integers(0, 255))), ("BPF_FUNC_b", draw(st.integers(0, 5)))]
    types.enum("bpf_func_id", [each for each in values if draw(st.booleans())])
    if draw(st.booleans()):
        types.function("bpf_rdonly_cast")
    if draw(st.booleans()):
        types.function("bpf_send_signal_task")
    if draw(st.booleans()):
        types.variable("counter", numbers[4])
    return KernelTypes.build(types.build())


@dataclass
class Writer:
    """Lines of one function and the records about them."""

    claims: Claims
    lines: list[Line] = field(default_factory=list)
    records: list[tuple[int, int, str, CoreKind]] = field(default_factory=list)

    def slot(self) -> int:
        """Where the next instruction goes; :func:`function` gives references a second half."""
        return sum(
            2 if isinstance(each, Reference) and each.instruction.opcode == 0x18 else 1
            for each in self.lines
        )

    def put(self, *parts: Line) -> None:
        self.lines += flat(parts)

    def asked(self, question: tuple[int, str, CoreKind], instruction: Instruction) -> None:
        """An instruction with what the object's own types say, and the record."""
        root, access, kind = question
        types = self.claims.types
        record = CoreRelocation("", 0, root, types.type(root).name, access, kind)
        try:
            answer = answer_in(kind, parse_access(types, record), types, "little")
        except SkepError:
            answer = None
        value = 0 if answer is None else answer.value
        memory = instruction.opcode & 7 in (1, 2, 3)
        if memory and kind == CoreKind.FIELD_BYTE_OFFSET and answer is not None and answer.size:
            size = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}.get(answer.size.in_bytes, 0)
            instruction = instruction._replace(opcode=instruction.opcode & ~0x18 | size)
        self.records.append((self.slot(), root, access, kind))
        self.put(
            instruction._replace(offset=value) if memory else instruction._replace(immediate=value)
        )
        if instruction.opcode == 0x18:
            self.put(Instruction(0))


def _base(draw: st.DrawFn, writer: Writer) -> int:
    """Put an address of some kind into a register."""
    sort = draw(st.sampled_from(["context", "stack", "packet", "data", "number", "kept"]))
    if sort == "context":
        return CONTEXT
    if sort == "stack":
        writer.put(copy(R2, R10), add(R2, draw(st.sampled_from([-8, -16, -64, -200]))))
    elif sort == "packet":
        writer.put(load(4, R2, CONTEXT, draw(st.sampled_from([0, 76, 4]))))
    elif sort == "data":
        writer.put(value_address(R2, draw(st.sampled_from([".data", ".rodata"])), 0))
    elif sort == "number":
        writer.put(copy(R2, NUMBER))
    else:
        writer.put(copy(R2, PLACE))
    return R2


def _piece(draw: st.DrawFn, writer: Writer, *, is_entry: bool) -> None:
    """Some instructions that do something with a number or an address."""
    question = draw(st.sampled_from(writer.claims.questions))
    sort = draw(st.sampled_from(_SORTS))
    match sort:
        case "ask":
            opcode = draw(st.sampled_from([0xB7, 0xB4, 0x18, 0x07, 0x04, 0x57, 0x67]))
            writer.asked(question, Instruction(opcode, NUMBER))
        case "access":
            base = _base(draw, writer)
            writer.asked(question, Instruction(0x61, draw(st.sampled_from([NUMBER, PLACE])), base))
        case "store":
            base = _base(draw, writer)
            source = draw(st.sampled_from([NUMBER, PLACE]))
            opcode = draw(st.sampled_from([0x63, 0x62]))
            writer.asked(question, Instruction(opcode, base, source if opcode == 0x63 else 0))
        case "moved":
            writer.put(copy(R2, R10), add(R2, -64))
            writer.asked(question, Instruction(0x07, R2))
            writer.put(store(8, R2, 0, draw(st.sampled_from([NUMBER, PLACE]))))
        case "constant":
            writer.put(
                value_address(R2, ".rodata", draw(st.integers(0, 12))),
                load(draw(st.sampled_from([1, 4])), NUMBER, R2),
            )
        case "version":
            name = draw(st.sampled_from(["LINUX_KERNEL_VERSION", "CONFIG_HZ"]))
            writer.put(symbol_address(R2, name), load(4, NUMBER, R2))
        case "weak":
            name = draw(st.sampled_from([each.name for each in _EXTERNS[:4]]))
            writer.put(symbol_address(NUMBER, name))
            if name.startswith("bpf_") and draw(st.booleans()):
                writer.put(Instruction(0x15, NUMBER, 0, 1, 0), kernel_call(name))
        case "output":
            writer.put(copy(R1, CONTEXT), map_address(R2, "events"), copy(R3, NUMBER))
            writer.put(copy(R4, R10), add(R4, -8), mov(R5, 8), call(_OUTPUT))
        case "room":
            writer.put(copy(R1, CONTEXT), mov(R2, 4), mov(R3, 0), copy(R4, NUMBER))
            writer.put(call(_ADJUST_ROOM))
        case "redirect":
            name = draw(st.sampled_from(["sockets", "counts"]))
            writer.put(map_address(R1, name), copy(R2, NUMBER), mov(R3, 0), call(_REDIRECT))
        case "tail":
            writer.put(copy(R1, CONTEXT), map_address(R2, "tails"), copy(R3, NUMBER))
            writer.put(call(_TAIL_CALL))
        case "spill":
            place = draw(st.sampled_from([-8, -16, -64]))
            source = draw(st.sampled_from([CONTEXT, NUMBER, PLACE]))
            writer.put(store(8, R10, place, source))
        case "fill":
            target = draw(st.sampled_from([NUMBER, PLACE]))
            writer.put(load(8, target, R10, draw(st.sampled_from([-8, -16, -64]))))
        case "keep":
            writer.put(copy(PLACE, _base(draw, writer)))
        case "call" if is_entry:
            first = draw(st.sampled_from([CONTEXT, NUMBER, PLACE, R10]))
            writer.put(copy(R1, first), copy(R2, NUMBER), local("helper"), copy(NUMBER, R0))
        case _:
            writer.put(mov(NUMBER, draw(st.integers(-1, 8))))


@st.composite
def listings(draw: st.DrawFn, claims: Claims, *, is_entry: bool) -> Writer:
    """A function: pieces, some of them skipped on a condition; never a way back."""
    writer = Writer(claims)
    writer.put(copy(CONTEXT, R1), mov(NUMBER, 2) if is_entry else copy(NUMBER, R2))
    writer.put(copy(PLACE, R1))
    for _ in range(draw(st.integers(1, 8 if is_entry else 3))):
        inner = Writer(claims)
        _piece(draw, inner, is_entry=is_entry)
        if draw(st.integers(0, 2)) == 0:
            opcode = draw(st.sampled_from([0x15, 0x55, 0x25, 0xB5, 0x45, 0x16, 0x65]))
            writer.put(
                Instruction(opcode, NUMBER, 0, inner.slot(), draw(st.sampled_from([0, 1, 2, 8])))
            )
        start = writer.slot()
        writer.lines += inner.lines
        writer.records += [(start + each[0], *each[1:]) for each in inner.records]
    if draw(st.booleans()):
        writer.put(copy(R0, NUMBER))
    else:
        writer.put(mov(R0, draw(st.integers(-1, 4))))
    writer.put(EXIT)
    return writer


@st.composite
def objects(draw: st.DrawFn) -> ObjectFile:
    """An object with one program and a function it may call."""
    claimed = draw(claims())
    program_type = draw(st.sampled_from(_TYPES))
    section = _SECTIONS.get(program_type, program_type.lower())
    writers = {
        "main": draw(listings(claimed, is_entry=True)),
        "helper": draw(listings(claimed, is_entry=False)),
    }
    made = object_file(
        [
            function(name, *writer.lines, section=section if name == "main" else ".text")
            for name, writer in writers.items()
        ],
        [ProgramSpec("main", section, program_type)],
        _MAPS,
        externs=_EXTERNS,
    )
    records = [
        CoreRelocation(name, slot, root, claimed.types.type(root).name, access, kind)
        for name, writer in writers.items()
        for slot, root, access, kind in writer.records
    ]
    return replace(
        made,
        types=claimed.types,
        core_relocations=tuple(records),
        variables=(Variable("first", ".rodata", 0, 4), Variable("last", ".rodata", 12, 4)),
    )


choices = st.fixed_dictionaries(
    {},
    optional={
        "first": st.binary(min_size=4, max_size=4),
        "last": st.sampled_from([bytes(4), b"\1\0\0\0"]),
    },
)


def _settings(variables: dict[str, bytes]) -> LinkSettings:
    return LinkSettings(
        variables=variables,
        kernel_config={"CONFIG_HZ": "1000"},
        kernel_version=0x61200,
        kernel_symbols={"address": 0xFFFF_FFFF_8123_0000},
    )


def _follows_a_number(permission: Permission) -> bool:
    """Whether all it shows is a load through what is certainly no address on this kernel.

    As compiled it may have been the packet's. No verifier accepts it, so it is refused either way.
    """
    return (permission.id, permission.confidence) == ("kernel.read_memory", "possible") and all(
        each.what.startswith("load from kernel memory: pointer") for each in permission.evidence
    )


def check_law(made: ObjectFile, plan: LoadPlan, kernel: KernelTypes | None) -> None:
    """See the module."""
    found = read_back(plan, made, kernel)
    for program in plan.programs:
        functions = {each.name: each.instructions for each in found.object_file.functions}
        analysed = chain.from_iterable(functions[name] for name in program.names)
        assert tuple(analysed) == program.instructions
    package = analyse(made, program_types=found.program_types)
    linked = analyse_linked(plan, made, kernel)
    outside = [each for each in exceeding(package, linked) if not _follows_a_number(each)]
    assert not [(each.id, each.scope, each.evidence[0]) for each in outside]
    if exceeding(package, linked):
        return
    for shown in within(package, linked).programs:
        before = package.program(shown.name)
        assert shown.is_resolved or not before.is_resolved
        certain = {(each.id, each.scope): each.confidence for each in before.permissions}
        for each in shown.permissions:
            rank = confidence_rank(each.confidence)
            assert not rank or rank >= confidence_rank(certain.get((each.id, each.scope), EXCLUDED))


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_node_label_lies_within_the_package_label(data: st.DataObject) -> None:
    made, kernel = data.draw(objects()), data.draw(kernels())
    try:
        plan = link(made, kernel, _settings(data.draw(choices)))
    except SkepError as error:
        event(f"not linked: {type(error).__name__}")
        return
    check_law(made, plan, kernel)
    node = analyse_linked(plan, made, kernel)
    event(f"changed: {bool(label_changes(analyse(made), node))}")


@pytest.mark.parametrize("name", fixture_names())
def test_fixtures_keep_the_law_without_types_of_a_kernel(name: str) -> None:
    _check_each(fixture(name), None)


@given(chains())
@settings(max_examples=60, deadline=None)
def test_a_chain_is_made_of_the_instructions_its_members_were_labelled_by(
    members: tuple[Member, ...],
) -> None:
    chain_of = splice(members)
    if len(members) == 1:
        assert chain_of.program == members[0].program
        return
    code = chain_of.program.instructions
    for member, entry, behind in zip(
        members, chain_of.ranges, chain_of.subprogram_ranges, strict=True
    ):
        moved = [code[slot] for slot in (*entry, *behind)]
        for before, after in zip(member.program.instructions, moved, strict=True):
            if after.opcode == _JUMP and before == EXIT:
                continue  # on to the next member
            assert after[:2] == before[:2]
            if (before.opcode, before.src) not in _MOVED:
                assert after == before


_JUMP = 0x05
# Local calls and references to maps: their immediate counts in the chain.
_MOVED = {(0x85, 1), (0x18, 5), (0x18, 6)}


@pytest.fixture(scope="module")
def this_kernel() -> KernelTypes:
    return KernelTypes.build(Path("/sys/kernel/btf/vmlinux").read_bytes())


@pytest.mark.kernel
@pytest.mark.parametrize("name", fixture_names())
def test_fixtures_keep_the_law_on_this_kernel(name: str, this_kernel: KernelTypes) -> None:
    _check_each(fixture(name), this_kernel)


def _check_each(read: ObjectFile, kernel: KernelTypes | None) -> None:
    sizes = {each.name: 16 for each in read.maps if each.origin != "data" and not each.max_entries}
    for spec in read.programs:
        wanted = replace(
            _settings({}),
            programs=frozenset({spec.name}),
            program_types={} if spec.program_type else {spec.name: "XDP"},
            max_entries=sizes,
            licence=None if read.licence is not None else "GPL",
        )
        try:
            plan = link(read, kernel, wanted)
        except SkepError:
            continue
        check_law(read, plan, kernel)
