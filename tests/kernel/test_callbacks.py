"""Functions given to helpers: loops, walks over maps and timers need the object's types."""

import time
from dataclasses import replace

import pytest
from tests.builders.compiled import compiled_object
from tests.builders.kernel_programs import key, number
from tests.builders.loaded_objects import execute

from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import LoadPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.reading import read_object
from skep.kernel.errors import VerifierRefused
from skep.kernel.loading import load_program
from skep.kernel.running import test_run as run_on

pytestmark = pytest.mark.kernel

SOURCE = """
typedef unsigned int u32;
typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))
#define NUMBER(name, value) int (*name)[value]
struct xdp_md { u32 data, data_end; };
struct bpf_timer { u64 opaque[2]; };
struct entry { u64 count; struct bpf_timer timer; };
static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*for_each)(void *map, void *callback, void *context, u64 flags) = (void *)164;
static long (*timer_init)(struct bpf_timer *timer, void *map, u64 flags) = (void *)169;
static long (*timer_set)(struct bpf_timer *timer, void *callback) = (void *)170;
static long (*timer_start)(struct bpf_timer *timer, u64 nanoseconds, u64 flags) = (void *)171;
static long (*loop)(u32 count, void *callback, void *context, u64 flags) = (void *)181;

struct { NUMBER(type, 2); NUMBER(max_entries, 4); u32 *key; u64 *value; } numbers SEC(".maps");
struct { NUMBER(type, 2); NUMBER(max_entries, 1); u32 *key; struct entry *value; }
	timers SEC(".maps");

static long add(u32 index, u64 *sum)
{
	*sum += index;
	return 0;
}

static long take(void *map, u32 *key, u64 *value, u64 *sum)
{
	*sum += *value;
	return 0;
}

static int expire(void *map, u32 *key, struct entry *entry)
{
	entry->count = 7;
	return 0;
}

SEC("xdp") int loops(struct xdp_md *context)
{
	u64 sum = 0;

	loop(5, add, &sum, 0);
	return sum;
}

SEC("xdp") int walks(struct xdp_md *context)
{
	u64 sum = 0;

	for_each(&numbers, take, &sum, 0);
	return sum;
}

SEC("xdp") int waits(struct xdp_md *context)
{
	u32 first = 0;
	struct entry *entry = lookup(&timers, &first);

	if (!entry || timer_init(&entry->timer, &timers, 1) || timer_set(&entry->timer, expire))
		return 1;
	return timer_start(&entry->timer, 1000, 0) ? 1 : 2;
}

char licence[] SEC("license") = "GPL";
"""
FRAME = bytes(60)


def plan(name: str) -> LoadPlan:
    settings = LinkSettings(programs=frozenset({name}))
    return link(read_object(compiled_object(SOURCE)), None, settings)


def test_a_loop_calls_back() -> None:
    with execute(plan("loops")) as loaded:
        assert run_on(loaded.programs[0], FRAME).return_value == 0 + 1 + 2 + 3 + 4


def test_a_walk_over_a_map_calls_back_for_each_entry() -> None:
    with execute(plan("walks")) as loaded:
        for index in range(4):
            loaded.maps[0].update(key(index), (10 + index).to_bytes(8, "little"))
        assert run_on(loaded.programs[0], FRAME).return_value == 10 + 11 + 12 + 13


def test_a_timer_calls_back_later() -> None:
    with execute(plan("waits")) as loaded:
        assert run_on(loaded.programs[0], FRAME).return_value == 2
        deadline = time.monotonic() + 30
        value = bytes(8)
        while time.monotonic() < deadline and number(value[:8]) != 7:
            value = loaded.maps[1].lookup(key(0)) or bytes(8)
            time.sleep(0.001)
        assert number(value[:8]) == 7


def test_types_are_given_because_the_kernel_insists() -> None:
    for name in ("loops", "walks", "waits"):
        (made,) = plan(name).programs
        assert made.needs_types
        assert len(made.functions) == 2
    (made,) = plan("loops").programs
    with pytest.raises(VerifierRefused, match="missing btf func_info"):
        load_program(replace(made, functions=()), [])
