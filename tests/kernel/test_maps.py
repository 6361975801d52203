"""Maps on the running kernel."""

import fcntl

import pytest
from tests.builders.kernel_programs import (
    ARRAY,
    HASH,
    LPM_TRIE,
    PASS,
    PERCPU_ARRAY,
    PERCPU_HASH,
    RINGBUF,
    array,
    counting,
    key,
    number,
    program,
)

from skep.bytecode.linking.plan import MapPlan
from skep.errors import Refused, UsageError
from skep.kernel.errors import BadMapAccess, KernelRefused, NotInThisKernel
from skep.kernel.loading import load_program
from skep.kernel.maps import create_map
from skep.kernel.probes import possible_cpus
from skep.kernel.running import test_run as run_on

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(MapPlan("plain", HASH, 4, 8, 16), id="hash"),
        pytest.param(MapPlan("tiny", ARRAY, 4, 1, 3), id="array"),
        pytest.param(MapPlan("recent", 9, 4, 8, 16), id="lru-hash"),
        pytest.param(MapPlan("prefixes", LPM_TRIE, 8, 8, 16, flags=1), id="lpm-trie"),
        pytest.param(MapPlan("ring", RINGBUF, 0, 0, 4096), id="ring-buffer"),
        pytest.param(MapPlan("queue", 22, 0, 8, 4), id="queue"),
        pytest.param(MapPlan("jumps", 3, 4, 4, 4), id="program-array"),
        pytest.param(MapPlan("cpus", PERCPU_ARRAY, 4, 12, 2), id="per-cpu-array"),
        pytest.param(MapPlan("events", 4, 4, 4, 0), id="perf-events-sized-by-us"),
        pytest.param(MapPlan("not/a-kernel name", HASH, 4, 8, 16), id="name-the-kernel-refuses"),
    ],
)
def test_a_map_of_each_type_is_made_as_planned(plan: MapPlan) -> None:
    with create_map(plan) as made:
        assert made.name == plan.name
        assert (made.map_type, made.key_size, made.value_size) == (
            plan.map_type,
            plan.key_size,
            plan.value_size,
        )
        assert made.max_entries == (plan.max_entries or possible_cpus())
        assert made.id > 0


def test_what_is_written_to_a_hash_is_found_listed_and_deleted() -> None:
    with create_map(MapPlan("plain", HASH, 4, 8, 16)) as made:
        made.update(key(1), b"a" * 8)
        made.update(key(2), b"b" * 8)
        made.update(key(2), b"c" * 8)
        assert made.lookup(key(1)) == b"a" * 8
        assert made.lookup(key(3)) is None
        assert dict(made.items()) == {key(1): b"a" * 8, key(2): b"c" * 8}
        assert made.delete(key(1))
        assert not made.delete(key(1))
        assert set(made.keys()) == {key(2)}
        made.clear()
        assert list(made.keys()) == []


def test_clearing_an_array_writes_zeros() -> None:
    with create_map(array(entries=3)) as made:
        for index in range(3):
            made.update(key(index), b"\xff" * 8)
        made.clear()
        assert [value for _, value in made.items()] == [bytes(8)] * 3


def test_keys_are_each_listed_once_while_entries_are_deleted_under_the_listing() -> None:
    with create_map(MapPlan("plain", HASH, 4, 8, 256)) as made:
        for index in range(200):
            made.update(key(index), bytes(8))
        listed = []
        for each in made.keys():  # noqa: SIM118, a map is no mapping
            listed.append(each)
            made.delete(each)
        assert len(listed) == len(set(listed))


@pytest.mark.parametrize("kind", [PERCPU_ARRAY, PERCPU_HASH])
def test_per_cpu_values_come_one_for_each_possible_cpu(kind: int) -> None:
    with create_map(MapPlan("cpus", kind, 4, 12, 2)) as made:
        made.update(key(0), b"x" * 12)
        assert made.lookup_per_cpu(key(0)) == [b"x" * 12] * possible_cpus()
        whole = made.lookup(key(0))
        assert whole is not None
        assert len(whole) == 16 * possible_cpus() == made.value_bytes
        own = b"".join(bytes([cpu]) * 12 + bytes(4) for cpu in range(possible_cpus()))
        made.update(key(0), own)
        assert made.lookup_per_cpu(key(0)) == [bytes([c]) * 12 for c in range(possible_cpus())]


def test_per_cpu_lookup_of_a_missing_key_is_empty_and_of_a_plain_map_one_value() -> None:
    with create_map(MapPlan("cpus", PERCPU_HASH, 4, 8, 2)) as made:
        assert made.lookup_per_cpu(key(7)) == []
    with create_map(array()) as made:
        assert made.lookup_per_cpu(key(0)) == [bytes(8)]


def test_a_program_counts_in_a_per_cpu_map() -> None:
    with (
        create_map(MapPlan("cpus", PERCPU_ARRAY, 4, 8, 1)) as made,
        load_program(program("count", *counting(PASS)), [made]) as loaded,
    ):
        run_on(loaded, bytes(60), repeat=5)
        assert sum(number(value) for value in made.lookup_per_cpu(key(0))) == 5


def test_contents_are_there_and_frozen_maps_refuse_to_change() -> None:
    plan = MapPlan(".rodata", ARRAY, 4, 4, 1, 0x80, contents=((key(0), b"data"),), frozen=True)
    with create_map(plan) as made:
        assert made.lookup(key(0)) == b"data"
        with pytest.raises(KernelRefused, match="frozen"):
            made.update(key(0), b"more")
        assert made.lookup(key(0)) == b"data"


def test_a_full_hash_says_how_many_it_holds() -> None:
    with create_map(MapPlan("plain", HASH, 4, 8, 1)) as made:
        made.update(key(1), bytes(8))
        with pytest.raises(KernelRefused, match=r"is full \(max_entries 1\)"):
            made.update(key(2), bytes(8))


def test_an_index_beyond_an_array_is_refused_on_writing_and_absent_on_reading() -> None:
    with create_map(array(entries=2)) as made:
        assert made.lookup(key(2)) is None
        with pytest.raises(KernelRefused, match="out of range"):
            made.update(key(2), bytes(8))


def test_entries_of_an_array_cannot_be_deleted() -> None:
    with create_map(array()) as made, pytest.raises(KernelRefused, match="cannot be deleted"):
        made.delete(key(0))


def test_keys_and_values_of_a_wrong_size_never_reach_the_kernel() -> None:
    with create_map(array()) as made:
        with pytest.raises(BadMapAccess, match="4 bytes"):
            made.lookup(b"\0" * 3)
        with pytest.raises(BadMapAccess, match="8 bytes"):
            made.update(key(0), b"\0" * 9)
        with pytest.raises(UsageError):
            made.delete(b"")


def test_a_map_without_keys_cannot_be_listed() -> None:
    with (
        create_map(MapPlan("ring", RINGBUF, 0, 0, 4096)) as made,
        pytest.raises(BadMapAccess, match="no keys"),
    ):
        list(made.keys())


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        pytest.param(MapPlan("m", HASH, 4, 8, 0), "max_entries", id="no-entries"),
        pytest.param(MapPlan("m", ARRAY, 8, 8, 1), "4 bytes", id="array-key"),
        pytest.param(MapPlan("m", LPM_TRIE, 8, 8, 1), "NO_PREALLOC", id="trie-without-flag"),
        pytest.param(MapPlan("m", RINGBUF, 0, 0, 5000), "power of two", id="ring-size"),
        pytest.param(MapPlan("m", PERCPU_ARRAY, 4, 1 << 16, 1), "32,768", id="per-cpu-value"),
        pytest.param(MapPlan("m", 12, 4, 4, 1), "template", id="map-of-maps"),
        pytest.param(MapPlan("m", 24, 4, 8, 0, 1), "BTF", id="storage"),
        pytest.param(MapPlan("m", HASH, 0, 8, 1), "key 0", id="no-key"),
    ],
)
def test_a_refused_map_names_the_rule(plan: MapPlan, reason: str) -> None:
    with pytest.raises(Refused, match="could not create map 'm'") as caught:
        create_map(plan)
    assert reason in caught.value.hint


def test_an_unknown_map_type_needs_a_newer_kernel() -> None:
    with pytest.raises(NotInThisKernel, match="does not know"):
        create_map(MapPlan("m", 4000, 4, 8, 1))


def test_a_map_whose_contents_are_refused_is_closed_again() -> None:
    # The leak check of every test is what is asserted here.
    with pytest.raises(KernelRefused):
        create_map(MapPlan("m", ARRAY, 4, 8, 1, contents=((key(9), bytes(8)),)))
    with pytest.raises(BadMapAccess):
        create_map(MapPlan("m", ARRAY, 4, 8, 1, contents=((key(0), b""),)))


def test_descriptors_do_not_leak_into_commands_we_start() -> None:
    with create_map(array()) as made:
        assert fcntl.fcntl(made.descriptor.number, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
