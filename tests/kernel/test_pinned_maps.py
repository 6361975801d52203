"""Maps pinned by name: shared below our own root, and only if they are equal."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders.kernel_programs import (
    PASS,
    array,
    counting,
    key,
    number,
    program,
    uninitialised,
)

from skep.bytecode.linking.plan import LoadPlan, MapPlan
from skep.errors import Conflict, Malformed, Refused, SkepError
from skep.kernel.errors import OutsidePinRoot, PinExists
from skep.kernel.loading import execute, load_program
from skep.kernel.maps import create_map
from skep.kernel.pinned_maps import DIRECTORY, PinnedMapDiffers, PinnedMaps
from skep.kernel.pins import PinRoot
from skep.kernel.running import test_run as run_on

pytestmark = pytest.mark.kernel

SHARED = replace(array("counts"), pinned_by_name=True)
COUNTS = LoadPlan((SHARED,), (program("count", *counting(PASS)),))
FRAME = bytes(60)


def test_two_loads_count_in_one_map(pins: PinRoot) -> None:
    with PinnedMaps(pins) as maps, execute(COUNTS, maps) as first:
        run_on(first.programs[0], FRAME)
    with PinnedMaps(pins) as maps, execute(COUNTS, maps) as second:
        run_on(second.programs[0], FRAME)
        assert number(second.maps[0].lookup(key(0))) == 2
    assert pins.names(DIRECTORY) == ("counts",)


def test_a_map_that_does_not_ask_for_it_is_not_pinned(pins: PinRoot) -> None:
    plan = replace(COUNTS, maps=(array("counts"),))
    with PinnedMaps(pins) as maps, execute(plan, maps):
        assert pins.names(DIRECTORY) == ()


def test_without_a_root_nothing_is_pinned_or_shared(pins: PinRoot) -> None:
    with execute(COUNTS) as first, execute(COUNTS) as second:
        assert first.maps[0].id != second.maps[0].id
    assert pins.names(DIRECTORY) == ()


@pytest.mark.parametrize(
    ("other", "what"),
    [
        pytest.param(replace(SHARED, map_type=1), "type ARRAY, the object wants HASH", id="type"),
        pytest.param(
            replace(SHARED, map_type=1, key_size=8), "key bytes 4, the object wants 8", id="key"
        ),
        pytest.param(
            replace(SHARED, value_size=16), "value bytes 8, the object wants 16", id="value"
        ),
        pytest.param(replace(SHARED, max_entries=2), "entries 1, the object wants 2", id="entries"),
        pytest.param(replace(SHARED, flags=0x400), "flags 0x0, the object wants 0x400", id="flags"),
    ],
)
def test_a_map_of_another_shape_is_a_conflict_that_says_what_differs(
    pins: PinRoot, other: MapPlan, what: str
) -> None:
    with PinnedMaps(pins) as maps:
        maps(SHARED).close()
        with pytest.raises(PinnedMapDiffers, match=what) as caught:
            maps(other)
    assert isinstance(caught.value, Conflict)


def test_what_fails_takes_its_new_pins_along_and_leaves_the_others(pins: PinRoot) -> None:
    with PinnedMaps(pins) as maps:
        maps(replace(SHARED, name="before")).close()
    plans = (replace(SHARED, name="before"), SHARED)
    plan = LoadPlan(plans, (program("bad", *uninitialised()),))
    with pytest.raises(Refused), PinnedMaps(pins) as maps:
        execute(plan, maps)
    assert pins.names(DIRECTORY) == ("before",)


# Attacks: whoever wrote the object chooses names; whoever else may pin chooses what is there.


@pytest.mark.parametrize(
    "name", ["../outside", "..", "/outside", "a/b", "..%2f", "nul\0", "\udcff", "by-name/../x"]
)
def test_1_a_name_cannot_lead_out_of_its_directory(pins: PinRoot, bpffs: Path, name: str) -> None:
    with PinRoot(bpffs / "outside") as outside, create_map(array("x")) as theirs:
        outside.pin(theirs, "x")
        with PinnedMaps(pins) as maps, maps(replace(SHARED, name=name)) as made:
            assert made.id != theirs.id
        assert outside.names() == ("x",)
    assert pins.names() == (DIRECTORY,)
    assert len(pins.names(DIRECTORY)) == 1


def test_1_a_name_too_long_for_a_file_is_refused(pins: PinRoot) -> None:
    with pytest.raises(OutsidePinRoot), PinnedMaps(pins) as maps:
        maps(replace(SHARED, name="x" * 300))


def test_1_other_pins_of_ours_are_not_reached_by_name(pins: PinRoot) -> None:
    with create_map(array("counts")) as ours:
        pins.pin(ours, "maps", "limit", "counts")
        with PinnedMaps(pins) as maps, maps(replace(SHARED, name="maps/limit/counts")) as made:
            assert made.id != ours.id


def test_2_a_symbolic_link_is_not_followed(pins: PinRoot, bpffs: Path) -> None:
    with PinRoot(bpffs / "outside") as outside, create_map(array("counts")) as theirs:
        outside.pin(theirs, "counts")
        with PinnedMaps(pins) as maps:
            maps(replace(SHARED, name="other")).close()
        (pins.path / DIRECTORY / "counts").symlink_to(bpffs / "outside" / "counts")
        with pytest.raises(SkepError), PinnedMaps(pins) as maps:
            maps(SHARED)


def test_2_a_program_of_that_name_is_no_map(pins: PinRoot) -> None:
    with load_program(program(), []) as loaded:
        pins.pin(loaded, DIRECTORY, "counts")
    with pytest.raises(PinExists, match="program"), PinnedMaps(pins) as maps:
        maps(SHARED)


@pytest.mark.parametrize("plan", [replace(SHARED, frozen=True), replace(SHARED, flags=0x80)])
def test_4_constants_are_nobody_elses(pins: PinRoot, plan: MapPlan) -> None:
    with pytest.raises(Malformed, match="constant"), PinnedMaps(pins) as maps:
        maps(plan)
    assert pins.names(DIRECTORY) == ()
