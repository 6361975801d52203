"""The oldest kernel, and why; what else a kernel must have."""

from dataclasses import replace

import pytest
from tests.builders.assembled import (
    EXIT,
    R0,
    R1,
    R2,
    R3,
    R6,
    Line,
    Listing,
    add,
    analysed,
    call,
    copy,
    function,
    function_address,
    hash_map,
    jump,
    jump_if_equal,
    kernel_call,
    leave,
    load,
    local,
    map_address,
    mov,
    object_file,
    one_program,
    permissions,
    symbol_address,
    value_address,
)
from tests.builders.btf import BtfBuilder

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.btf.table import read_btf
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.objectfile.model import CoreRelocation, Extern, MapSpec, ObjectFile, ProgramSpec


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
            "6.0",
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


def test_a_weak_kernel_function_is_optional_if_the_object_asks_for_it() -> None:
    externs = [Extern("bpf_rcu_read_lock", "kfunc", is_weak=True)]
    asks: Listing = [symbol_address(R1, "bpf_rcu_read_lock"), jump_if_equal(R1, 0, 1)]
    called: Listing = [kernel_call("bpf_rcu_read_lock"), leave(2)]
    needs = analysed(*asks, *called, externs=externs).requirements
    assert needs.oldest_kernel == "4.8"
    assert [(each.kernel, each.optional) for each in needs.optional] == [("6.2", "weak")]
    assert needs.needs_btf == "no"


def test_a_weak_kernel_function_that_is_just_called_is_needed() -> None:
    # Generated headers declare every kernel function weak; without it the call is poisoned.
    externs = [Extern("bpf_rcu_read_lock", "kfunc", is_weak=True)]
    needs = analysed(kernel_call("bpf_rcu_read_lock"), leave(2), externs=externs).requirements
    assert (needs.oldest_kernel, needs.needs_btf) == ("6.2", "yes")


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
    listing: Listing = [
        map_address(R1, "b"),
        map_address(R1, "a"),
        copy(R2, R1),
        mov(R3, 0),
        *leave(2),
    ]
    report = analysed(*listing, map_address(R1, "c"), maps=maps)
    assert report.program("main").maps == ("b", "a")


def with_types(objects: ObjectFile, builder: BtfBuilder, **changes: object) -> ObjectFile:
    types = read_btf(builder.build(), "little")
    return replace(objects, types=types, **changes)  # type: ignore[arg-type]


class TestTestedHelpers:
    """Programs that ask whether a helper exists before they call it."""

    def object_file(self, *, enumerator: str, root: str = "bpf_func_id") -> ObjectFile:
        builder = BtfBuilder()
        type_id = builder.enum(root, [("BPF_FUNC_unspec", 0), (enumerator, 1)])
        record = CoreRelocation("main", 0, type_id, root, "1", 10)
        objects = one_program(call(130), leave(2), maps=[hash_map("ring", map_type=27)])
        return with_types(objects, builder, core_relocations=(record,))

    @pytest.mark.parametrize(
        ("root", "enumerator"),
        [
            ("bpf_func_id", "BPF_FUNC_ringbuf_output"),
            ("bpf_func_id___mine", "BPF_FUNC_ringbuf_output___mine"),
        ],
    )
    def test_do_not_raise_the_oldest_kernel(self, root: str, enumerator: str) -> None:
        needs = analyse(self.object_file(root=root, enumerator=enumerator)).requirements
        assert needs.oldest_kernel == "4.8"
        assert {(each.what, each.optional) for each in needs.optional} == {
            ("helper bpf_ringbuf_output", "tested"),
            ("map type RINGBUF", "tested"),
        }

    @pytest.mark.parametrize(
        ("root", "enumerator"),
        [("bpf_func_id", "BPF_FUNC_ringbuf_query"), ("other", "BPF_FUNC_ringbuf_output")],
    )
    def test_must_be_the_ones_that_are_called(self, root: str, enumerator: str) -> None:
        needs = analyse(self.object_file(root=root, enumerator=enumerator)).requirements
        assert needs.oldest_kernel == "5.8"

    def test_still_count_as_permissions(self) -> None:
        report = analyse(self.object_file(enumerator="BPF_FUNC_ringbuf_output"))
        assert "data.export" in permissions(report)

    @pytest.mark.parametrize("access", ["", "7", "x", "-1", "9" * 5000])
    def test_a_wrong_record_tests_nothing(self, access: str) -> None:
        objects = self.object_file(enumerator="BPF_FUNC_ringbuf_output")
        (record,) = objects.core_relocations
        broken = replace(objects, core_relocations=(replace(record, access=access),))
        assert analyse(broken).requirements.oldest_kernel == "5.8"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tcp_congestion_ops", "net.congestion"),
        ("sched_ext_ops", "sched.ext"),
        ("new_ops", "unknown"),
    ],
)
def test_a_replaced_set_of_functions_is_named_by_its_type(name: str, expected: str) -> None:
    builder = BtfBuilder()
    struct = builder.struct(name, 8, [])
    variable = builder.variable("mine", struct)
    builder.datasec(".struct_ops.link", [(variable, 0, 8)])
    objects = one_program(leave(0), program_type="STRUCT_OPS", section="struct_ops/init")
    report = analyse(with_types(objects, builder))
    assert permissions(report)[expected] == "declared"
    assert ("unknown" in permissions(report)) is (expected == "unknown")


def asking(root: str, kind: int, member: str, offset: int = 4) -> ObjectFile:
    """A load of a member that its author placed at ``offset``."""
    builder = BtfBuilder()
    number = builder.integer("unsigned int")
    type_id = builder.struct(root, 24, [(member, number, 8 * offset)])
    access = "0:0" if kind < 6 else "0"
    record = CoreRelocation("main", 0, type_id, root, access, kind)
    objects = one_program(load(4, R2, R1, 4), leave(2))
    return with_types(replace(objects, core_relocations=(record,)), builder)


@pytest.mark.parametrize(
    ("root", "member", "offset", "expected"),
    [
        pytest.param("iphdr", "id", 4, "yes", id="another-width"),
        pytest.param("xdp_md", "data_end", 4, "formally", id="as-it-is"),
        pytest.param("xdp_md", "data", 4, "yes", id="at-another-place"),
        pytest.param("task_struct", "pid", 4, "yes", id="a-kernels-own"),
    ],
)
def test_only_a_layout_that_never_changes_needs_no_btf(
    root: str, member: str, offset: int, expected: str
) -> None:
    needs = analyse(asking(root, 0, member, offset)).requirements
    assert (needs.needs_btf, needs.types_read) == (expected, (root,))


def test_records_of_functions_nobody_reaches_do_not_count() -> None:
    record = CoreRelocation("other", 0, 1, "task_struct", "0:1", 0)
    objects = replace(one_program(leave(2)), core_relocations=(record,))
    assert analyse(objects).requirements.needs_btf == "no"


@pytest.mark.parametrize(
    ("root", "kind", "expected"),
    [
        pytest.param("xdp_md", 0, "formally", id="where-a-field-is"),
        pytest.param("xdp_md", 2, "yes", id="whether-there-is-a-field"),
        pytest.param("iphdr", 8, "yes", id="whether-there-is-a-type"),
        pytest.param("iphdr", 6, "no", id="its-own-type"),
    ],
)
def test_a_question_the_linker_needs_types_for_needs_btf(
    root: str, kind: int, expected: str
) -> None:
    objects = asking(root, kind, "data_end")
    assert analyse(objects).requirements.needs_btf == expected


@pytest.mark.parametrize(
    ("section", "settings", "kernel"),
    [
        pytest.param("iter/task", {"attach_type": "TRACE_ITER"}, "5.8", id="iterator"),
        pytest.param("iter/unix", {"attach_type": "TRACE_ITER"}, "5.15", id="later-iterator"),
        pytest.param("iter/dmabuf", {"attach_type": "TRACE_ITER"}, "6.16", id="newest-iterator"),
        pytest.param("iter/else", {"attach_type": "TRACE_ITER"}, "5.8", id="unknown-iterator"),
        pytest.param(
            "iter.s/task",
            {"attach_type": "TRACE_ITER", "is_sleepable": True},
            "5.18",
            id="sleepable-iterator",
        ),
        pytest.param(
            "fentry.s/x",
            {"attach_type": "TRACE_FENTRY", "is_sleepable": True},
            "5.10",
            id="fentry.s",
        ),
        pytest.param(
            "kprobe.multi/x",
            {"program_type": "KPROBE", "attach_type": "TRACE_KPROBE_MULTI"},
            "5.18",
            id="kprobe.multi",
        ),
        pytest.param(
            "uprobe.session/x",
            {"program_type": "KPROBE", "attach_type": "TRACE_UPROBE_SESSION"},
            "6.13",
            id="uprobe.session",
        ),
        pytest.param(
            "tc/ingress",
            {"program_type": "SCHED_CLS", "attach_type": "TCX_INGRESS"},
            "4.1",
            id="tc-without-tcx",
        ),
        pytest.param(
            "tcx/ingress",
            {"program_type": "SCHED_CLS", "attach_type": "TCX_INGRESS"},
            "6.6",
            id="tcx",
        ),
        pytest.param(
            "sk_reuseport",
            {"program_type": "SK_REUSEPORT", "attach_type": "SK_REUSEPORT_SELECT"},
            "4.19",
            id="attach-type-older-kernels-ignore",
        ),
    ],
)
def test_ways_of_attaching_have_a_first_kernel(
    section: str, settings: dict[str, object], kernel: str
) -> None:
    given: dict[str, object] = {"program_type": "TRACING", **settings}
    report = analysed(leave(0), section=section, **given)
    assert report.requirements.oldest_kernel == kernel


def test_an_attach_type_older_kernels_ignore_is_listed_as_optional() -> None:
    report = analysed(
        leave(0), section="tc/egress", program_type="SCHED_CLS", attach_type="TCX_EGRESS"
    )
    (optional,) = report.requirements.optional
    assert (optional.kernel, optional.optional) == ("6.6", "allowed")


@pytest.mark.parametrize(
    ("name", "section", "kernel"),
    [
        ("tcp_congestion_ops", ".struct_ops", "5.6"),
        ("tcp_congestion_ops", ".struct_ops.link", "6.4"),
        ("sched_ext_ops", ".struct_ops.link", "6.12"),
        ("sched_ext_ops___v2", ".struct_ops.link", "6.12"),
        ("Qdisc_ops", ".struct_ops", "6.16"),
        ("new_ops", ".struct_ops", "5.6"),
    ],
)
def test_instances_of_struct_ops_count_without_a_program(
    name: str, section: str, kernel: str
) -> None:
    builder = BtfBuilder()
    struct = builder.struct(name, 8, [])
    variable = builder.variable("mine", struct)
    builder.datasec(section, [(variable, 0, 8)])
    needs = analyse(with_types(object_file([], []), builder)).requirements
    assert needs.oldest_kernel == kernel


@pytest.mark.parametrize(
    ("name", "oldest", "newest"),
    [
        ("hid_bpf_attach_prog", "6.3", "6.10"),
        ("scx_bpf_dispatch", "6.12", "6.16"),
        ("bpf_cpumask_any", "6.3", "6.4"),
        ("bpf_wq_set_callback_impl", "6.10", "6.19"),
        ("bpf_rcu_read_lock", "6.2", None),
    ],
)
def test_a_kernel_function_that_went_gives_a_newest_kernel(
    name: str, oldest: str, newest: str | None
) -> None:
    needs = analysed(kernel_call(name), leave(0), program_type="SYSCALL").requirements
    assert (needs.oldest_kernel, needs.newest_kernel) == (oldest, newest)
    assert [limit.kernel for limit in needs.newest_reasons] == ([newest] if newest else [])


def test_a_weak_kernel_function_that_went_does_not_count() -> None:
    extern = Extern("scx_bpf_dispatch", "kfunc", is_weak=True)
    asks: Listing = [symbol_address(R1, "scx_bpf_dispatch"), jump_if_equal(R1, 0, 1)]
    report = analysed(*asks, kernel_call("scx_bpf_dispatch"), leave(0), externs=[extern])
    assert report.requirements.newest_kernel is None


@pytest.mark.parametrize(
    ("hook", "oldest", "newest"),
    [
        pytest.param("file_open", "5.7", None, id="always"),
        pytest.param("bpf_token_create", "6.9", None, id="later"),
        pytest.param("bpf_map_alloc_security", "5.7", "6.8", id="renamed"),
        pytest.param("inode_getsecurity", "5.7", "6.11", id="refused-to-programs"),
        pytest.param("task_getsecid_subj", "5.13", "5.16", id="came-and-went"),
        pytest.param("no_such_hook", "5.7", None, id="unknown"),
    ],
)
def test_a_security_hook_has_a_first_and_perhaps_a_last_kernel(
    hook: str, oldest: str, newest: str | None
) -> None:
    needs = analysed(
        leave(0), program_type="LSM", attach_type="LSM_MAC", section=f"lsm/{hook}"
    ).requirements
    assert (needs.oldest_kernel, needs.newest_kernel) == (oldest, newest)
