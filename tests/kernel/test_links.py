"""XDP links on a veth pair of the test's own."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders.attaching import attach_xdp, link_interface, xdp_program_id
from tests.builders.kernel_programs import PASS, PERCPU_ARRAY, counting, key, number, program
from tests.builders.wires import GENERIC_MODE, attach_without_link, inside
from tests.kernel.conftest import Wire

from skep.bytecode.linking.plan import MapPlan
from skep.kernel.errors import (
    HookTaken,
    InterfaceMissing,
    KernelRefused,
    TargetMissing,
    UnexpectedProgram,
)
from skep.kernel.links import Link
from skep.kernel.loading import LoadedProgram, load_program
from skep.kernel.maps import LoadedMap, create_map
from skep.kernel.network import remove_interface
from skep.kernel.pins import PinRoot

pytestmark = pytest.mark.kernel


@pytest.fixture
def first() -> Iterator[LoadedProgram]:
    with load_program(program("first"), []) as loaded:
        yield loaded


@pytest.fixture
def second() -> Iterator[LoadedProgram]:
    with load_program(program("second"), []) as loaded:
        yield loaded


@pytest.fixture
def link(first: LoadedProgram, wire: Wire) -> Iterator[Link]:
    with attach_xdp(first, wire.ifindex) as attached:
        yield attached


def test_an_attached_program_is_the_interfaces(
    link: Link, first: LoadedProgram, wire: Wire
) -> None:
    assert link.program_id() == first.id == xdp_program_id(wire.ifindex)
    assert link_interface(link) == wire.ifindex
    assert link.id > 0


def test_closing_the_only_holder_detaches(first: LoadedProgram, wire: Wire) -> None:
    with attach_xdp(first, wire.ifindex):
        pass
    assert xdp_program_id(wire.ifindex) is None


def test_detaching_leaves_a_link_without_interface(link: Link, wire: Wire) -> None:
    link.detach()
    link.detach()
    assert link_interface(link) == 0
    assert xdp_program_id(wire.ifindex) is None


def test_replacing_under_the_expected_program(
    link: Link, first: LoadedProgram, second: LoadedProgram, wire: Wire
) -> None:
    link.replace(second, expected=first)
    assert link.program_id() == second.id == xdp_program_id(wire.ifindex)
    link.replace(first, expected=None)
    assert link.program_id() == first.id


def test_replacing_under_a_wrong_expectation_changes_nothing(
    link: Link, first: LoadedProgram, second: LoadedProgram
) -> None:
    with pytest.raises(UnexpectedProgram) as caught:
        link.replace(second, expected=second)
    assert f"found program {first.id} (first)" in caught.value.message
    assert link.program_id() == first.id


def test_replacing_by_a_program_of_another_type_changes_nothing(
    link: Link, first: LoadedProgram
) -> None:
    import dataclasses

    filtering = dataclasses.replace(program("filter"), program_type=1, attach_type=0)
    with load_program(filtering, []) as other, pytest.raises(KernelRefused, match="EINVAL"):
        link.replace(other, expected=first)
    assert link.program_id() == first.id


def test_a_second_link_finds_the_hook_occupied_and_names_who(
    link: Link, first: LoadedProgram, second: LoadedProgram, wire: Wire
) -> None:
    with pytest.raises(HookTaken) as caught:
        attach_xdp(second, wire.ifindex)
    assert wire.name in caught.value.message
    assert f"program {first.id} (first)" in caught.value.message
    assert link.program_id() == first.id


def test_a_program_attached_without_a_link_is_left_alone(
    first: LoadedProgram, second: LoadedProgram, wire: Wire
) -> None:
    attach_without_link(wire.name, second.descriptor.number)
    with pytest.raises(HookTaken) as caught:
        attach_xdp(first, wire.ifindex)
    assert f"program {second.id} (second)" in caught.value.message
    assert xdp_program_id(wire.ifindex) == second.id


def test_a_program_in_generic_mode_counts_as_occupied_too(
    first: LoadedProgram, second: LoadedProgram, wire: Wire
) -> None:
    attach_without_link(wire.name, second.descriptor.number, GENERIC_MODE)
    with pytest.raises(HookTaken, match=f"program {second.id} "):
        attach_xdp(first, wire.ifindex)


def test_attaching_to_no_interface(first: LoadedProgram) -> None:
    with pytest.raises(InterfaceMissing):
        attach_xdp(first, 0x7FFFFFFF)


def test_attaching_a_program_that_is_not_xdp(wire: Wire) -> None:
    import dataclasses

    filtering = dataclasses.replace(program("filter"), program_type=1, attach_type=0)
    with load_program(filtering, []) as other, pytest.raises(KernelRefused, match=wire.name):
        attach_xdp(other, wire.ifindex)


def test_a_link_survives_its_interface_but_cannot_be_replaced(
    link: Link, second: LoadedProgram, wire: Wire
) -> None:
    remove_interface(wire.name)
    assert link_interface(link) == 0
    with pytest.raises(TargetMissing, match="no longer attached"):
        link.replace(second, expected=None)


_ATTACH_AND_END = """
import os, sys
from pathlib import Path
from tests.builders.attaching import attach_xdp
from skep.kernel.loading import load_program
from skep.kernel.pins import PinRoot
from tests.builders.kernel_programs import program
pins = PinRoot(Path(sys.argv[1]))
loaded = load_program(program("survivor"), [])
link = attach_xdp(loaded, int(sys.argv[2]))
pins.pin(link, "links", "survivor")
print(loaded.id, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_pinned_link_survives_its_process(
    pins: PinRoot, first: LoadedProgram, wire: Wire
) -> None:
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", _ATTACH_AND_END, str(pins.path), str(wire.ifindex)],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"},
    )
    assert ended.returncode == -9, ended.stderr
    survivor = int(ended.stdout)
    assert xdp_program_id(wire.ifindex) == survivor
    with pins.open_link("links", "survivor") as link:
        assert link.program_id() == survivor
        link.replace(first, expected=None)
    assert xdp_program_id(wire.ifindex) == first.id
    assert pins.remove("links", "survivor")


def test_traffic_goes_through_the_replaced_program(wire: Wire) -> None:
    def counted() -> tuple[LoadedMap, LoadedProgram]:
        counts = create_map(MapPlan("count", PERCPU_ARRAY, 4, 8, 1))
        return counts, load_program(program("count", *counting(PASS)), [counts])

    (one, counting_one), (two, counting_two) = counted(), counted()
    with one, two, counting_one, counting_two, attach_xdp(counting_one, wire.ifindex) as link:
        _send(wire, 20)
        link.replace(counting_two, expected=counting_one)
        _send(wire, 30)
        assert _total(one) >= 20
        assert _total(two) >= 30


def _total(counts: LoadedMap) -> int:
    return sum(number(value) for value in counts.lookup_per_cpu(key(0)))


def _send(wire: Wire, frames: int) -> None:
    """Raw frames out of the namespace's end arrive at ours."""
    code = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
        "s.bind((sys.argv[1], 0))\n"
        "for _ in range(int(sys.argv[2])):\n"
        "    s.send(b'\\xff' * 6 + b'\\x02' * 6 + b'\\x88\\xb5' + bytes(46))\n"
    )
    subprocess.run(
        [*inside(wire.namespace), sys.executable, "-c", code, wire.peer, str(frames)],
        check=True,
    )
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as here:
        here.bind((wire.name, 0))  # a round through the interface's queues
