"""Programs written with the headers for authors load, and do what their macros say."""

import pytest
from tests.builders.compiled import compiled_object
from tests.builders.kernels import running_types
from tests.builders.loaded_objects import LoadedObject, execute

from skep.bytecode.isa.kernel_types import MAP_TYPES
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.reading import read_object
from skep.kernel.configuration import kernel_configuration, kernel_version_code
from skep.kernel.kernel_types import VMLINUX
from skep.kernel.running import test_run as run_on

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not VMLINUX.exists(), reason="needs the types of the running kernel"),
]

START = """
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>
char _license[] SEC("license") = "GPL";
"""
FRAME = b"\x11" * 12 + b"\x08\x00" + bytes(50)


def loaded(source: str) -> LoadedObject:
    settings = LinkSettings(
        kernel_config=kernel_configuration(), kernel_version=kernel_version_code()
    )
    return execute(link(read_object(compiled_object(START + source)), running_types(), settings))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            "int i, *p, sum = 0; bpf_for(i, 1, 5) sum += i; bpf_repeat(3) sum += 100;\n"
            "bpf_for_each(num, p, 0, 3) { if (*p == 2) break; sum += 1000; } return sum;",
            2310, id="loops",
        ),
        pytest.param("return bpf_htons(0x0102);", 0x0201, id="order"),
        pytest.param(
            "struct iphdr header = { .ihl = 5, .version = 4 };\n"
            "BPF_CORE_WRITE_BITFIELD(&header, version, 6);\n"
            "return BPF_CORE_READ_BITFIELD(&header, version) * 100\n"
            " + BPF_CORE_READ_BITFIELD(&header, ihl) * 10\n"
            " + BPF_CORE_READ_BITFIELD_PROBED(&header, version);",
            656, id="bit-fields",
        ),
        pytest.param(
            "char out[16]; int bytes = 12, values = 345;\n"
            "long n = BPF_SNPRINTF(out, sizeof(out), \"%d-%d\", bytes, values);\n"
            "return n * 1000 + out[2];",
            7000 + ord("-"), id="text",
        ),
        pytest.param(
            "struct task_struct *task = (void *)bpf_get_current_task();\n"
            "return BPF_CORE_READ(task, tgid) == bpf_get_current_pid_tgid() >> 32;",
            1, id="a-path",
        ),
        pytest.param(
            "struct task_struct *task = bpf_get_current_task_btf();\n"
            "return bpf_core_field_exists(task->tgid) + bpf_core_type_exists(struct task_struct)"
            " + bpf_core_enum_value(enum bpf_map_type, BPF_MAP_TYPE_HASH);",
            3, id="questions",
        ),
        pytest.param(
            'bpf_printk("%d", 1); bpf_printk("%d %d %d %d", 1, 2, 3, 4); return 4;', 4, id="printk"
        ),
    ],
)  # fmt: skip
def test_a_program_gives_what_its_macros_say(body: str, expected: int) -> None:
    source = f'SEC("tc") long runs(struct __sk_buff *ctx)\n{{\n{body}\n}}'
    with loaded(source) as made:
        assert run_on(made.programs[0], FRAME).return_value == expected


def test_a_static_tail_call_goes_where_its_slot_says() -> None:
    source = """
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 2); __type(key, __u32);
	__array(values, int (struct xdp_md *)); } next SEC(".maps") = {
	.values = { [1] = (void *)&second_one },
};
"""
    text = (
        'SEC("xdp") int second_one(struct xdp_md *ctx) { return XDP_TX; }\n' + source
        + 'SEC("xdp") int first_one(struct xdp_md *ctx)\n'
        "{ bpf_tail_call_static(ctx, &next, 1); return XDP_DROP; }"
    )  # fmt: skip
    with loaded(text) as made:
        [first] = [each for each in made.programs if each.name == "first_one"]
        assert run_on(first, FRAME).return_value == 3
        assert MAP_TYPES["PROG_ARRAY"] in {each.map_type for each in made.maps}


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(
            'SEC("kprobe/do_unlinkat") int BPF_KPROBE(probe, int dfd, struct filename *name)\n'
            '{ bpf_printk("%s", BPF_CORE_READ(name, name)); return 0; }', id="kprobe",
        ),
        pytest.param(
            'SEC("kretprobe/do_unlinkat") int BPF_KRETPROBE(probe, long r)\n'
            '{ bpf_printk("%ld", r); return 0; }', id="kretprobe",
        ),
        pytest.param(
            'SEC("ksyscall/kill") int BPF_KSYSCALL(probe, pid_t pid, int signal)\n'
            '{ bpf_printk("%d %d", pid, signal); return 0; }', id="ksyscall",
        ),
        pytest.param(
            'SEC("uprobe") int BPF_UPROBE(probe, long a) { return a; }', id="uprobe",
        ),
        pytest.param(
            'SEC("tp_btf/sched_switch") int BPF_PROG(probe, bool p, struct task_struct *a, '
            "struct task_struct *b)\n{ return a->pid == b->pid; }", id="tp_btf",
        ),
        pytest.param(
            'SEC("iter/task") int walk(struct bpf_iter__task *ctx)\n'
            "{ struct task_struct *task = ctx->task; if (task) BPF_SEQ_PRINTF(ctx->meta->seq, "
            '"%d\\n", task->pid); return 0; }', id="iterator",
        ),
    ],
)  # fmt: skip
def test_a_traced_program_is_accepted(source: str) -> None:
    with loaded(source) as made:
        assert len(made.programs) == 1
