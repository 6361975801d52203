"""Projects of authors: a ``skep.toml`` and a C source, valid, with one thing changed."""

from pathlib import Path

from tests.builders.compiled import cache_directory

from skep.cli.environment import Environment, read_environment

SOURCE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 4);
         __type(key, __u32); __type(value, __u64); } limits SEC(".maps");
struct pair { __u32 first, second; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 64);
         __type(key, __u16); __type(value, __u8); } ports SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1);
         __type(key, __u32); __type(value, struct pair); } pairs SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 2);
         __type(key, __u32); __type(value, __u64); } counts SEC(".maps");
struct wide { __u64 a, b; };
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1);
         __type(key, __u32); __type(value, struct wide); } wides SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1);
         __type(key, struct wide); __type(value, __u64); } keyed SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1);
         __type(key, struct pair); __type(value, __u64); } paired SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } events SEC(".maps");
const volatile __u8 strict = 0;
const volatile __u32 address = 0;
const __u32 fixed[2] = {7, 8};
MORE_DECLARATIONS

SEC("SECTION")
int prog(struct xdp_md *context) {
    __u32 zero = 0;
    __u16 port = 80;
    __u64 *limit = bpf_map_lookup_elem(&limits, &zero);
    __u64 *count = bpf_map_lookup_elem(&counts, &zero);
    struct pair *pair = bpf_map_lookup_elem(&pairs, &zero);
    struct wide *wide = bpf_map_lookup_elem(&wides, &zero);
    if (!limit || !count || !pair || !wide || bpf_map_lookup_elem(&ports, &port))
        return XDP_PASS;
    bpf_ringbuf_output(&events, &zero, sizeof(zero), 0);
    *count += *limit + pair->first + wide->a + fixed[context->rx_queue_index & 1];
    MORE_CODE
    return strict || address ? XDP_DROP : XDP_PASS;
}
LICENCE
"""
GPL = 'char LICENSE[] SEC("license") = "GPL";'

TOML = """\
[package]
name = "acme/project"
version = "1.0.0"
summary = "Counts what comes by"
licence = "GPL-2.0-only"
categories = ["network/counters"]

[build]
sources = ["project.bpf.c"]

[[program]]
name = "prog"
hook = "xdp"
"""


def write_project(
    directory: Path,
    more: str = "",
    *,
    toml: str = TOML,
    declarations: str = "",
    code: str = "",
    section: str = "xdp",
    licence: str = GPL,
) -> Path:
    """A project folder: ``more`` follows its ``skep.toml``, the others change its source."""
    directory.mkdir(parents=True, exist_ok=True)
    source = SOURCE.replace("MORE_DECLARATIONS", declarations).replace("MORE_CODE", code)
    source = source.replace("SECTION", section).replace("LICENCE", licence)
    (directory / "project.bpf.c").write_text(source)
    (directory / "README.md").write_text("# Project\n")
    (directory / "skep.toml").write_text(toml + more)
    return directory


def author_environment(root: Path) -> Environment:
    """An environment of its own that shares the cache of compilations with other tests."""
    environment = read_environment({"SKEP_ROOT": str(root), "PATH": "/usr/bin:/bin"}, 1000)
    environment.cache.mkdir(parents=True, exist_ok=True)
    shared = environment.cache / "compiler"
    if not shared.exists():
        cache_directory().mkdir(parents=True, exist_ok=True)
        shared.symlink_to(cache_directory(), target_is_directory=True)
    return environment
