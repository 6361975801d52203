"""The headers for authors: what each macro leaves in an object, as our own reader sees it."""

import os
from pathlib import Path

import pytest
from tests.builders.compiled import INCLUDE, cache_directory, compiled_object, compiler

from skep.bytecode.isa.helpers import HELPERS
from skep.bytecode.objectfile.model import Function, ObjectFile
from skep.bytecode.objectfile.reading import read_object
from skep.compiling.compiler import CSource, compile_object
from skep.compiling.errors import CompileFailed, CompilerMissing, HeadersMissing, SourceMissing
from skep.compiling.headers import find_libbpf
from skep.compiling.sources import read_sources
from skep.compiling.toolchain import CompilerChoice, find_compiler

_START = "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n"
_CORE = _START + "#include <bpf/bpf_core_read.h>\n"
_TRACING = (
    "#define __VMLINUX_H__\n" + _CORE + "struct pt_regs { unsigned long di, si, dx, cx, r10, r8, "
    "r9, sp, bp, ax, ip; } __attribute__((preserve_access_index));\n"
    "#include <bpf/bpf_tracing.h>\n"
)
_END = '\nchar licence[] SEC("license") = "GPL";\n'


def read(source: str, **settings: object) -> ObjectFile:
    return read_object(compiled_object(source + _END, **settings))


def function(read_file: ObjectFile, name: str) -> Function:
    return next(each for each in read_file.functions if each.name == name)


def helpers_called(read_file: ObjectFile, name: str) -> list[str]:
    return [
        HELPERS[each.immediate].name
        for each in function(read_file, name).instructions
        if each.opcode == 0x85 and each.src == 0
    ]


@pytest.fixture(params=["zig", "clang"])
def choice(request: pytest.FixtureRequest) -> CompilerChoice:
    try:
        return find_compiler(os.environ, request.param)
    except CompilerMissing:
        if request.param == "zig":
            raise
        pytest.skip("no system clang is installed; zig, which is pinned, is always tried")


def compiled_with(choice: CompilerChoice, directory: Path, source: str) -> ObjectFile:
    path = directory / "source.bpf.c"
    path.write_text(source + _END)
    return read_object(
        compile_object(
            CSource(path, [INCLUDE]), choice, cache=cache_directory(), environment=os.environ
        )
    )


# bpf_helpers.h


def test_a_map_has_the_attributes_that_its_macros_say() -> None:
    found = read(
        _START
        + """
struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32);
	__type(value, __u32); };
struct pair { __u64 a, b; };
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 7);
	__type(key, __u16);
	__type(value, struct pair);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__ulong(map_extra, 0x1234567890ULL);
} first SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} second SEC(".maps");
SEC("xdp") int uses(void *ctx) { return bpf_map_lookup_elem(&first, ctx) == NULL; }
"""
    )
    maps = {each.name: each for each in found.maps}
    first, second = maps["first"], maps["second"]
    assert (first.map_type, first.key_size, first.value_size, first.max_entries) == (1, 2, 16, 7)
    assert (first.flags, first.pinning, first.extra) == (1, 1, 0x1234567890)
    assert second.inner is not None
    assert (second.map_type, second.max_entries, second.inner.value_size) == (12, 2, 4)


def test_externs_are_of_the_kernel_its_configuration_and_weak_where_said() -> None:
    found = read(
        _START
        + """
extern int CONFIG_HZ __kconfig;
extern enum libbpf_tristate CONFIG_BPFILTER __kconfig __weak;
extern void bpf_rcu_read_lock(void) __ksym __weak;
SEC("tc") int uses(void *ctx)
{
	if (bpf_ksym_exists(bpf_rcu_read_lock))
		return TRI_MODULE;
	return CONFIG_HZ + CONFIG_BPFILTER;
}
"""
    )
    externs = {each.name: (each.kind, each.is_weak) for each in found.extern_details}
    assert externs == {
        "CONFIG_HZ": ("kconfig", False),
        "CONFIG_BPFILTER": ("kconfig", True),
        "bpf_rcu_read_lock": ("kfunc", True),
    }


def test_asking_for_a_symbol_that_is_not_weak_does_not_compile() -> None:
    with pytest.raises(CompileFailed, match="must be __weak"):
        read(
            _START + "extern void bpf_rcu_read_lock(void) __ksym;\n"
            'SEC("tc") int uses(void *ctx) { return bpf_ksym_exists(bpf_rcu_read_lock); }'
        )


def test_functions_are_hidden_weak_and_of_their_own() -> None:
    found = read(
        _START
        + """
__hidden __noinline int hidden(int *a) { *a += 1; return *a; }
__weak __noinline int weak(int a __arg_nonnull) { barrier_var(a); return a; }
SEC("xdp") int uses(void *ctx) { int a = 0; return weak(hidden(&a)); }
"""
    )
    assert function(found, "hidden").is_hidden
    assert not function(found, "weak").is_hidden
    assert [each.name for each in found.programs] == ["uses"]


@pytest.mark.parametrize(
    ("arguments", "helper"),
    [
        pytest.param("", "bpf_trace_printk", id="none"),
        pytest.param(", 1, ctx, 3L", "bpf_trace_printk", id="three"),
        pytest.param(", 1, 2, 3, 4", "bpf_trace_vprintk", id="four"),
        pytest.param(", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ctx", "bpf_trace_vprintk", id="twelve"),
    ],
)
def test_printk_takes_the_helper_that_has_room(arguments: str, helper: str) -> None:
    body = f'{{ bpf_printk("text"{arguments}); return 0; }}'
    found = read(_START + f'SEC("xdp") int prints(void *ctx) {body}')
    assert helpers_called(found, "prints") == [helper]
    assert [each.data for each in found.maps if each.name == ".rodata"] == [b"text\0"]


def test_printk_keeps_its_text_on_the_stack_for_old_kernels() -> None:
    source = _START + 'SEC("xdp") int prints(void *ctx) { bpf_printk("text"); return 0; }'
    found = read("#define BPF_NO_GLOBAL_DATA\n" + source)
    assert helpers_called(found, "prints") == ["bpf_trace_printk"]
    assert not function(found, "prints").relocations


def test_text_goes_to_iterators_and_buffers() -> None:
    found = read(
        _START
        + """
SEC("iter/task") int writes(struct { struct { void *seq; } *meta; } *ctx)
{
	char out[16];

	BPF_SNPRINTF(out, sizeof(out), "%d %d", 1, 2);
	BPF_SEQ_PRINTF(ctx->meta->seq, "%s\\n", out);
	return 0;
}
"""
    )
    assert helpers_called(found, "writes") == ["bpf_snprintf", "bpf_seq_printf"]


def test_a_static_tail_call_has_its_slot_in_the_instruction() -> None:
    found = read(
        _START
        + """
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4);
	__uint(key_size, 4); __uint(value_size, 4); } programs SEC(".maps");
SEC("xdp") int calls(void *ctx) { bpf_tail_call_static(ctx, &programs, 3); return 0; }
"""
    )
    assert helpers_called(found, "calls") == ["bpf_tail_call"]
    code = function(found, "calls").instructions
    assert (3, 3) in {(each.dst, each.immediate) for each in code}


def test_loops_over_numbers_use_the_kernels_iterator() -> None:
    found = read(
        _START
        + """
SEC("raw_tp") int loops(void *ctx)
{
	int sum = 0, i;

	bpf_for(i, 1, 10)
		sum += i;
	bpf_repeat(3) {
		sum++;
		if (sum > 20)
			break;
	}
	return sum;
}
"""
    )
    assert {each.name for each in found.extern_details} == {
        "bpf_iter_num_new", "bpf_iter_num_next", "bpf_iter_num_destroy",
    }  # fmt: skip
    calls = [each.name for each in function(found, "loops").relocations]
    assert calls.count("bpf_iter_num_new") == 2
    assert calls.count("bpf_iter_num_destroy") >= 2


def test_constants_are_those_of_the_language() -> None:
    read(
        _START
        + """
_Static_assert(KERNEL_VERSION(5, 10, 300) == 0x050aff, "version");
struct pair { int a; long b; };
_Static_assert(__builtin_constant_p(offsetof(struct pair, b)), "constant");
SEC("xdp") int uses(void *ctx)
{
	struct pair pair = { 1, 2 };
	long *b = &pair.b;

	if (unlikely(container_of(b, struct pair, b) != &pair))
		__bpf_unreachable();
	barrier();
	return likely(pair.a);
}
"""
    )


def test_both_families_of_headers_can_be_included_together() -> None:
    found = read(
        "#include <skep/maps.bpf.h>\n#include <skep/packets.bpf.h>\n" + _CORE +
        '#include <bpf/bpf_endian.h>\nCOUNTER(seen);\nSEC("xdp") int uses(void *ctx)\n'
        "{ count(&seen); return bpf_ntohs(1); }"
    )  # fmt: skip
    assert helpers_called(found, "uses") == ["bpf_map_lookup_elem"]


# bpf_endian.h


def test_the_order_of_bytes_is_known_to_the_compiler() -> None:
    read(
        _START
        + """
#include <bpf/bpf_endian.h>
_Static_assert(bpf_htons(0x0102) == 0x0201 && bpf_ntohs(0x0201) == 0x0102, "16");
_Static_assert(bpf_htonl(0x01020304) == 0x04030201 && bpf_ntohl(1) == 0x01000000, "32");
_Static_assert(bpf_cpu_to_be64(1) == 0x0100000000000000ULL && bpf_be64_to_cpu(1ULL << 56) == 1, "");
_Static_assert(bpf_cpu_to_le32(5) == 5 && bpf_le16_to_cpu(5) == 5 && bpf_le64_to_cpu(5) == 5, "");
_Static_assert(__bpf_constant_htons(ETH_P) == 0x0008, "constant");
SEC("xdp") int uses(void *ctx) { switch (*(__u16 *)ctx) { case bpf_htons(0x86dd): return 1; }
	return 0; }
""".replace("ETH_P", "0x0800")
    )


# bpf_core_read.h

_TYPES = """
struct inner { int number; char text[16]; } __attribute__((preserve_access_index));
struct outer { struct inner *const in; struct outer *next; unsigned low : 3, bits : 5;
	int below : 4; } __attribute__((preserve_access_index));
enum colour { RED = 4, BLUE = 5 };
"""


def core_program(body: str) -> ObjectFile:
    return read(_CORE + _TYPES + f'SEC("raw_tp") long reads(struct outer *at)\n{{\n{body}\n}}')


@pytest.mark.parametrize(
    ("expression", "helpers"),
    [
        pytest.param("BPF_CORE_READ(at, next)->low", ["kernel"], id="one"),
        pytest.param("BPF_CORE_READ(at, next, in, number)", ["kernel"] * 3, id="three"),
        pytest.param(
            "BPF_CORE_READ(at, next, next, next, next, next, next, next, next, in, number)",
            ["kernel"] * 10, id="ten",
        ),
        pytest.param("BPF_CORE_READ_USER(at, in, number)", ["user"] * 2, id="user"),
        pytest.param("BPF_PROBE_READ(at, in, number)", ["kernel"] * 2, id="probe"),
        pytest.param("BPF_PROBE_READ_USER(at, in, number)", ["user"] * 2, id="probe-user"),
        pytest.param(
            "BPF_CORE_READ(BPF_CORE_READ(at, next), in, number)", ["kernel"] * 3, id="nested"
        ),
    ],
)  # fmt: skip
def test_a_path_is_read_step_by_step(expression: str, helpers: list[str]) -> None:
    found = core_program(f"return (long){expression};")
    assert helpers_called(found, "reads") == [f"bpf_probe_read_{each}" for each in helpers]


@pytest.mark.parametrize(
    ("macro", "helpers"),
    [
        ("BPF_CORE_READ_STR_INTO", ["kernel", "kernel_str"]),
        ("BPF_CORE_READ_USER_STR_INTO", ["user", "user_str"]),
        ("BPF_PROBE_READ_STR_INTO", ["kernel", "kernel_str"]),
        ("BPF_PROBE_READ_USER_STR_INTO", ["user", "user_str"]),
        ("BPF_CORE_READ_INTO", ["kernel", "kernel"]),
        ("BPF_CORE_READ_USER_INTO", ["user", "user"]),
        ("BPF_PROBE_READ_INTO", ["kernel", "kernel"]),
        ("BPF_PROBE_READ_USER_INTO", ["user", "user"]),
    ],
)
def test_the_end_of_a_path_is_read_into_an_array(macro: str, helpers: list[str]) -> None:
    found = core_program(f"char to[16]; return {macro}(&to, at, in, text);")
    assert helpers_called(found, "reads") == [f"bpf_probe_read_{each}" for each in helpers]


# Kinds of relocations: Documentation/bpf/llvm_reloc.rst of Linux 6.18.
@pytest.mark.parametrize(
    ("expression", "root", "access", "kind"),
    [
        pytest.param("bpf_core_field_offset(at->next)", "outer", "0:1", 0, id="offset"),
        pytest.param("bpf_core_field_size(struct outer, in)", "outer", "0:0", 1, id="size"),
        pytest.param("bpf_core_field_exists(at->bits)", "outer", "0:3", 2, id="exists"),
        pytest.param("bpf_core_field_exists(struct inner, text[2])", "inner", "0:1:2", 2, id="in"),
        pytest.param("bpf_core_type_id_local(struct inner)", "inner", "0", 6, id="local"),
        pytest.param("bpf_core_type_id_kernel(struct inner)", "inner", "0", 7, id="id"),
        pytest.param("bpf_core_type_exists(struct inner)", "inner", "0", 8, id="type"),
        pytest.param("bpf_core_type_size(struct inner)", "inner", "0", 9, id="type-size"),
        pytest.param("bpf_core_type_matches(struct inner)", "inner", "0", 12, id="matches"),
        pytest.param("bpf_core_enum_value_exists(enum colour, BLUE)", "colour", "1", 10, id="enum"),
        pytest.param("bpf_core_enum_value(enum colour, RED)", "colour", "0", 11, id="value"),
    ],
)
def test_a_question_becomes_one_relocation(
    expression: str, root: str, access: str, kind: int
) -> None:
    [found] = core_program(f"return {expression};").core_relocations
    assert (found.root, found.access, found.kind) == (root, access, kind)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("return BPF_CORE_READ_BITFIELD(at, bits);", id="direct"),
        pytest.param("return BPF_CORE_READ_BITFIELD_PROBED(at, below);", id="probed"),
        pytest.param("BPF_CORE_WRITE_BITFIELD(at, bits, 9); return 0;", id="written"),
    ],
)
def test_bit_fields_are_relocated_whole(body: str) -> None:
    kinds = {each.kind for each in core_program(body).core_relocations}
    assert {0, 1, 4, 5} <= kinds | ({0, 1, 4, 5} if "WRITE" in body else set())


def test_a_cast_names_the_kernels_type() -> None:
    found = core_program("return bpf_core_cast(at, struct inner)->number;")
    assert [each.name for each in found.extern_details] == ["bpf_rdonly_cast"]
    assert 7 in {each.kind for each in found.core_relocations}


# bpf_tracing.h


def loads(found: ObjectFile, name: str) -> list[tuple[int, int]]:
    """Offset and opcode of loads from the context."""
    return [
        (each.offset, each.opcode)
        for each in function(found, name).instructions
        if each.opcode in (0x79, 0x61) and each.src in (1, 6)
    ]


def test_arguments_of_a_traced_function_are_elements_of_its_context() -> None:
    found = read(
        _TRACING
        + """
SEC("fentry/f") int BPF_PROG(enters, long a, void *b, short c) { return a + (long)b + c; }
SEC("fexit/f") int BPF_PROG(nothing) { return 0; }
"""
    )
    assert sorted(offset for offset, _ in loads(found, "enters")) == [0, 8, 16]
    assert [each.name for each in found.programs] == ["enters", "nothing"]


def test_a_struct_by_value_takes_as_many_elements_as_it_needs() -> None:
    found = read(
        _TRACING
        + """
struct wide { long a, b; };
SEC("fentry/f") int BPF_PROG2(enters, int, a, struct wide, w, char, c) { return w.a + w.b + c; }
SEC("fentry/g") int BPF_PROG2(nothing) { return 0; }
"""
    )
    offsets = sorted(each.offset for each in function(found, "enters").instructions
                     if each.opcode == 0x79)  # fmt: skip
    assert offsets == [8, 16, 24]


def registers(source: str, program: str = "probe", **settings: object) -> list[str]:
    """Accesses of registers, by their place in the struct."""
    found = read(source, **settings)
    return [each.access for each in found.core_relocations if each.function == program]


def test_arguments_of_a_probe_are_registers_of_x86() -> None:
    source = _TRACING + (
        'SEC("kprobe/f") int BPF_KPROBE(probe, long a, long b, long c, long d, long e, long f)\n'
        "{ return a + b + c + d + e + f; }"
    )
    assert sorted(registers(source)) == ["0:0", "0:1", "0:2", "0:3", "0:5", "0:6"]


def test_the_result_of_a_probe_is_a_register() -> None:
    source = _TRACING + 'SEC("kretprobe/f") int BPF_KRETPROBE(probe, long r) { return r; }'
    assert registers(source) == ["0:9"]
    assert registers(source.replace("KRETPROBE", "URETPROBE")) == ["0:9"]


def test_arguments_of_a_system_call_are_there_with_a_wrapper_and_without() -> None:
    found = read(
        _TRACING + 'SEC("ksyscall/f") int BPF_KSYSCALL(probe, int a, int b, int c, int d)\n'
        "{ return a + b + c + d; }"
    )
    assert [(each.name, each.kind) for each in found.extern_details] == [
        ("LINUX_HAS_SYSCALL_WRAPPER", "kconfig")
    ]
    assert helpers_called(found, "probe") == ["bpf_probe_read_kernel"] * 4
    assert {each.access for each in found.core_relocations} == {"0:0", "0:1", "0:2", "0:4"}


_MACHINES = {
    "arm64": ("struct user_pt_regs { unsigned long regs[31], sp, pc; }", ["0:0:0", "0:0:1"]),
    "s390": ("typedef struct { unsigned long gprs[16]; struct { long addr; } psw; } user_pt_regs",
             ["0:0:2", "0:0:3"]),
    "riscv": ("struct user_regs_struct { unsigned long pc, ra, sp, s0, a0, a1, a2; }",
              ["0:4", "0:5"]),
    "powerpc": ("struct pt_regs { unsigned long gpr[32], nip, orig_gpr3, link; }",
                ["0:0:3", "0:0:4"]),
    "loongarch": ("struct user_pt_regs { unsigned long regs[32], orig_a0, csr_era; }",
                  ["0:0:4", "0:0:5"]),
    "arm": ("struct pt_regs { unsigned long uregs[18]; }", ["0:0:0", "0:0:1"]),
    "mips": ("struct pt_regs { unsigned long regs[32], cp0_epc; }", ["0:0:4", "0:0:5"]),
}  # fmt: skip


@pytest.mark.parametrize("machine", sorted(_MACHINES))
def test_a_source_may_be_for_another_machine(machine: str) -> None:
    declared, expected = _MACHINES[machine]
    found = read(
        f"#define __TARGET_ARCH_{machine}\n#define __VMLINUX_H__\n{_CORE}"
        "#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)\n"
        f"{declared};\n#pragma clang attribute pop\n#include <bpf/bpf_tracing.h>\n"
        'SEC("kprobe/f") int BPF_KPROBE(probe, long a, long b) { return a + b; }\n'
        'SEC("kprobe/g") long all(struct pt_regs *ctx) { return PT_REGS_RET(ctx) + PT_REGS_FP(ctx)'
        " + PT_REGS_RC(ctx) + PT_REGS_SP(ctx) + PT_REGS_IP(ctx) + PT_REGS_PARM1_CORE(ctx)"
        " + PT_REGS_PARM1_SYSCALL(PT_REGS_SYSCALL_REGS(ctx)); }\n"
        if machine not in ("riscv",)
        else f"#define __TARGET_ARCH_{machine}\n#define __VMLINUX_H__\n{_CORE}"
        f"{declared} __attribute__((preserve_access_index));\n#include <bpf/bpf_tracing.h>\n"
        'SEC("kprobe/f") int BPF_KPROBE(probe, long a, long b) { return a + b; }\n'
    )
    accesses = [each.access for each in found.core_relocations if each.function == "probe"]
    assert accesses == expected


def test_an_argument_that_is_in_no_register_is_refused_where_it_is_asked_for() -> None:
    with pytest.raises(CompileFailed, match="not in a register"):
        read(_TRACING + 'SEC("kprobe/f") long asks(struct pt_regs *c) { return PT_REGS_PARM7(c); }')


# Headers of the kernel and of a C library


@pytest.mark.parametrize(
    "header",
    [
        "linux/if.h", "linux/icmp.h", "linux/icmpv6.h", "linux/in.h", "linux/in6.h", "linux/ip.h",
        "linux/ipv6.h", "linux/tcp.h", "linux/udp.h", "linux/if_ether.h", "linux/if_packet.h",
        "linux/if_vlan.h", "linux/if_link.h", "linux/pkt_cls.h", "linux/ptrace.h",
        "linux/perf_event.h",
        "linux/input.h", "asm/ptrace.h", "asm/unistd.h", "netinet/in.h", "arpa/inet.h", "net/if.h",
        "net/ethernet.h", "sys/socket.h", "sys/types.h", "sys/time.h", "sys/ioctl.h", "time.h",
        "netinet/if_ether.h", "netinet/ip.h", "netinet/ip6.h", "netinet/tcp.h", "netinet/udp.h",
        "errno.h", "string.h", "stdint.h", "stddef.h", "stdbool.h", "bpf/bpf_helpers.h",
        "bpf/bpf_endian.h", "bpf/bpf_core_read.h", "bpf/bpf_tracing.h",
    ],
)  # fmt: skip
def test_a_header_can_be_included_alone_and_after_others(header: str) -> None:
    first = "#include <linux/types.h>\n" if header.startswith("bpf/") else ""
    others = "#include <netinet/in.h>\n#include <linux/if.h>\n#include <string.h>\n"
    compiled_object(f"{first}#include <{header}>\n{others}int nothing;\n")


def test_memory_is_copied_without_a_call(tmp_path: Path, choice: CompilerChoice) -> None:
    found = compiled_with(
        choice,
        tmp_path,
        _START
        + """
#include <string.h>
#include <errno.h>
#include <arpa/inet.h>
SEC("xdp") int copies(struct xdp_md *ctx)
{
	char a[32], b[32];

	memset(a, ctx->ingress_ifindex, sizeof(a));
	memcpy(b, a, sizeof(b));
	memmove(a + 1, b, 16);
	if (memcmp(a, b, 8) != 0)
		return -EINVAL;
	return ntohs(ctx->rx_queue_index) + htonl(a[3]) + AF_INET6 + IPPROTO_TCP;
}
""",
    )
    assert not found.externs
    assert [each.name for each in found.functions] == ["copies"]


def test_a_source_of_every_kind_compiles_with_both_compilers(
    tmp_path: Path, choice: CompilerChoice
) -> None:
    found = compiled_with(
        choice,
        tmp_path,
        '#include "vmlinux.h"\n#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_core_read.h>\n'
        "#include <bpf/bpf_endian.h>\n#include <bpf/bpf_tracing.h>\n"
        'SEC("kprobe/do_unlinkat") int BPF_KPROBE(probe, int dfd, struct filename *name)\n'
        '{ bpf_printk("%s", BPF_CORE_READ(name, name)); return 0; }\n'
        'SEC("lsm/bpf") int BPF_PROG(asks, int cmd, union bpf_attr *attr, unsigned int size, '
        "bool kernel)\n{ return cmd == BPF_PROG_LOAD ? -1 : 0; }",
    )
    assert {each.root for each in found.core_relocations} == {"pt_regs", "filename"}


@pytest.mark.parametrize("order", ["before", "after"])
def test_headers_of_the_compiler_go_with_vmlinux_h(
    tmp_path: Path, choice: CompilerChoice, order: str
) -> None:
    headers = ("stdbool", "stddef", "stdint", "stdarg", "string", "limits")
    others = "".join(f"#include <{name}.h>\n" for name in headers)
    types = '#include "vmlinux.h"\n'
    compiled_with(
        choice,
        tmp_path,
        (others + types if order == "before" else types + others) + "#include <bpf/bpf_helpers.h>\n"
        'SEC("xdp") int f(void *ctx) { bool a = true; uint64_t b = 1; return a == false ? b : 2; }',
    )


# Whose headers


def test_a_vmlinux_h_beside_the_source_wins(tmp_path: Path) -> None:
    (tmp_path / "vmlinux.h").write_text("typedef unsigned int __u32;\n#define MINE 1\n")
    compiled_with(compiler(), tmp_path, '#include "vmlinux.h"\n#define SEC(x)\nint a = MINE;')


def test_a_systems_libbpf_is_taken_only_where_it_is_asked_for(tmp_path: Path) -> None:
    foreign = tmp_path / "usr" / "bpf"
    foreign.mkdir(parents=True)
    (foreign / "bpf_helpers.h").write_text(
        "#define SEC(n) __attribute__((section(n)))\n#define IT 2\n"
    )
    found = find_libbpf("system", [tmp_path / "usr"])
    assert found == foreign
    assert find_libbpf("") is None
    source = tmp_path / "x.bpf.c"
    source.write_text("#include <linux/types.h>\n#include <bpf/bpf_helpers.h>\nint a = IT;\n")
    compile_object(
        CSource(source, [INCLUDE], libbpf=found),
        compiler(),
        cache=cache_directory(),
        environment=os.environ,
    )
    with pytest.raises(CompileFailed, match="IT"):
        compile_object(
            CSource(source, [INCLUDE]), compiler(), cache=cache_directory(), environment=os.environ
        )


def test_a_system_without_libbpf_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(HeadersMissing, match="bpf") as caught:
        find_libbpf("system", [tmp_path])
    assert "libbpf-dev" in caught.value.hint


def test_a_missing_header_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(CompileFailed) as caught:
        compiled_with(compiler(), tmp_path, "#include <bpf/usdt.bpf.h>\n")
    assert "bpf/*.h" in caught.value.hint
    assert "bpf/usdt.bpf.h" in caught.value.hint


# Names that sources use


def test_names_are_those_of_the_source_and_of_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside.h").write_text("struct from_beside;\n")
    source = tmp_path / "x.bpf.c"
    source.write_text(
        '#include "vmlinux.h"\n#include "beside.h"\n#include <bpf/bpf_helpers.h>\n'
        'int used; // struct in_a_comment\nchar *t = "in_a_text";\n/* and_here\n and_there */\n'
        "int f(void) { bpf_for_each(task, t, 0) { bpf_sk_lookup_tcp(); } }\n"
    )
    found = read_sources(source, [INCLUDE])
    assert found.not_found == {"vmlinux.h"}
    names = found.names()
    assert {"used", "from_beside", "bpf_iter_task", "bpf_sock_tuple", "bpf_sock", "__u64"} <= names
    assert names.isdisjoint({"in_a_comment", "in_a_text", "and_there", "task_struct", "bpf_timer"})


def test_a_source_that_includes_itself_is_read_once(tmp_path: Path) -> None:
    source = tmp_path / "x.c"
    source.write_text('#include "x.c"\n#include WHAT\n')
    found = read_sources(source, [])
    assert len(found.own) == 1
    assert found.is_computed


def test_a_source_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="nowhere"):
        read_sources(tmp_path / "nowhere.c", [])
