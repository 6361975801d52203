"""The oldest kernel, and why; what else a kernel must have."""

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    R2,
    R3,
    R6,
    Line,
    add,
    analysed,
    call,
    copy,
    function,
    function_address,
    hash_map,
    jump,
    kernel_call,
    leave,
    load,
    local,
    map_address,
    mov,
    object_file,
    value_address,
)

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.objectfile.model import Extern, MapSpec, ProgramSpec


@pytest.mark.parametrize(
    ("listing", "settings", "kernel", "what"),
    [
        pytest.param([], {}, "4.8", "program type XDP", id="type"),
        pytest.param([], {"attach_type": "XDP"}, "4.8", "program type XDP", id="optional-attach"),
        pytest.param(
            [], {"attach_type": "XDP_CPUMAP"}, "5.9", "attach type XDP_CPUMAP", id="attach-type"
        ),
        pytest.param(
            [Instruction(0xA5, R1, 0, 0, 1)], {}, "4.14", "instruction jlt64", id="isa-v2"
        ),
        pytest.param([Instruction(0x16, R1, 0, 0, 1)], {}, "5.1", "instruction jeq32", id="isa-v3"),
        pytest.param(
            [load(4, R2, R1, 0), Instruction(0xDB, R2, R0, 0, 1)],
            {},
            "5.12",
            "instruction atomic64 fetch_add",
            id="atomic-with-fetch",
        ),
        pytest.param(
            [load(4, R2, R1, 0), Instruction(0xDB, R2, R0, 0, 0)],
            {},
            "4.8",
            "program type XDP",
            id="plain-atomic-add",
        ),
        pytest.param(
            [Instruction(0xBF, R2, R1, 8)], {}, "6.6", "instruction movsx8to64", id="isa-v4"
        ),
        pytest.param([Instruction(0x06)], {}, "6.6", "instruction gotol", id="long-jump"),
        pytest.param([call(130)], {}, "5.8", "helper bpf_ringbuf_output", id="helper"),
        pytest.param(
            [kernel_call("bpf_rcu_read_lock")],
            {},
            "6.2",
            "kernel function bpf_rcu_read_lock",
            id="kernel-function",
        ),
        pytest.param([local("f")], {}, "4.16", "calls of local functions", id="local-call"),
        pytest.param(
            [local("f"), call(12)], {}, "5.10", "tail calls together", id="tail-and-local-calls"
        ),
        pytest.param([function_address(R1, "f")], {}, "5.13", "callbacks", id="callback"),
        pytest.param([value_address(R1, ".bss")], {}, "5.2", "global variables", id="globals"),
        pytest.param(
            [mov(R6, 0), add(R6, 1), Instruction(0x2D, R6, R1, -2)], {}, "5.3", "loops", id="loop"
        ),
        pytest.param([mov(R6, 0)] * 4096, {}, "5.2", "more than 4,096", id="long"),
        pytest.param(
            [], {"maps": [hash_map(map_type=27)]}, "5.8", "map type RINGBUF", id="map-type"
        ),
        pytest.param(
            [],
            {"is_sleepable": True, "program_type": "KPROBE"},
            "5.10",
            "sleepable",
            id="sleepable",
        ),
    ],
)
def test_the_newest_thing_decides(
    listing: list[Line], settings: dict[str, object], kernel: str, what: str
) -> None:
    others = [function("f", leave(0))]
    needs = analysed(listing, leave(2), others=others, **settings).requirements
    assert needs.oldest_kernel == kernel
    assert needs.reasons[0].kernel == kernel
    assert any(what in reason.what for reason in needs.reasons if reason.kernel == kernel)


def test_what_is_not_reached_does_not_count() -> None:
    needs = analysed(jump(1), call(130), leave(2)).requirements
    assert needs.oldest_kernel == "4.8"


def test_a_reason_says_where() -> None:
    others = [function("deep", mov(R0, 0), call(130), EXIT)]
    (first, *_) = analysed(local("deep"), leave(2), others=others).requirements.reasons
    assert (first.program, first.function, first.slot) == ("main", "deep", 1)


def test_a_weak_kernel_function_is_optional() -> None:
    externs = [Extern("bpf_rcu_read_lock", "kfunc", is_weak=True)]
    needs = analysed(kernel_call("bpf_rcu_read_lock"), leave(2), externs=externs).requirements
    assert needs.oldest_kernel == "4.8"
    assert [(each.kernel, each.optional) for each in needs.optional] == [("6.2", "weak")]
    assert needs.needs_btf == "no"


def test_a_program_that_is_not_loaded_by_default_does_not_count() -> None:
    objects = object_file(
        [
            function("a", leave(2), section="xdp"),
            function("b", call(130), leave(2), section="?xdp"),
        ],
        [ProgramSpec("a", "xdp", "XDP"), ProgramSpec("b", "?xdp", "XDP", is_optional=True)],
    )
    report = analyse(objects)
    assert report.requirements.oldest_kernel == "4.8"
    assert report.requirements.optional[0].optional == "not default"
    assert report.program("b").oldest_kernel == "5.8"


def test_what_is_in_no_table_is_said() -> None:
    needs = analysed(
        call(9999), kernel_call("bpf_brand_new"), Instruction(0xFF), leave(2)
    ).requirements
    assert needs.unknown_first_kernels == (
        "instruction 0xff",
        "helper 9999",
        "kernel function bpf_brand_new",
    )


def test_sizes_user_space_has_to_set() -> None:
    maps = [
        hash_map("open", max_entries=0),
        hash_map("closed"),
        hash_map("events", map_type=4, max_entries=0),
        MapSpec(".bss", 2, 4, 8, 0, data=b"", origin="data"),
    ]
    assert analysed(leave(2), maps=maps).requirements.sizes_to_set == ("open",)


@pytest.mark.parametrize(
    ("section", "program_type", "name"),
    [
        ("lsm/file_open", "LSM", "bpf_lsm_file_open"),
        ("tp_btf/sched_switch", "TRACING", "btf_trace_sched_switch"),
        ("fentry/tcp_connect", "TRACING", "tcp_connect"),
    ],
)
def test_targets_in_the_types_of_the_kernel(section: str, program_type: str, name: str) -> None:
    needs = analysed(leave(0), section=section, program_type=program_type).requirements
    assert [target.name for target in needs.targets] == [name]
    assert needs.needs_btf == "yes"


def test_groups_and_level_of_the_instruction_set() -> None:
    program = analysed(
        load(4, R2, R1, 0), Instruction(0xDB, R2, R0, 0, 0), Instruction(0x9F, R0, R2), leave(2)
    ).program("main")
    assert program.groups == ("atomic64", "base64", "divmul64")
    assert program.level == "v1"
    assert analysed(Instruction(0xE5), leave(2)).program("main").level == "linux"


def test_maps_a_program_refers_to() -> None:
    maps = [hash_map("a"), hash_map("b"), hash_map("c")]
    listing = [map_address(R1, "b"), map_address(R1, "a"), copy(R2, R1), mov(R3, 0), *leave(2)]
    report = analysed(*listing, map_address(R1, "c"), maps=maps)
    assert report.program("main").maps == ("b", "a")
