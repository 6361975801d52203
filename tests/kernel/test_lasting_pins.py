"""Pins outlive the command that made them, or are not made.

Each test is a machine of its own: a process namespace whose process 1 is a shell.
"""

import os
from functools import partial
from pathlib import Path

import pytest
from tests.builders.attaching import xdp_program_id
from tests.builders.deployments import returning
from tests.builders.kernel_programs import array
from tests.kernel.conftest import Machine, Wire

from skep.hooks.target import HookTarget
from skep.kernel.lasting_pins import find_lasting_pins, is_lasting, open_lasting_pins
from skep.kernel.maps import create_map
from skep.kernel.pins import is_bpffs, unmount
from skep.kernel.syscall import mount_bpf_file_system
from skep.node.wiring.kernel_adapter import KernelAdapter, PinsNotFound

pytestmark = pytest.mark.kernel

# pin DIRECTORY: pins a map "kept" in DIRECTORY/node/bpf; look: says what is pinned there.
PROGRAM = """
import subprocess
import sys
from pathlib import Path

from skep.errors import SkepError
from skep.kernel.lasting_pins import (
    find_lasting_pins, is_lasting, open_lasting_pins, unmount_lasting_pins
)
from skep.kernel.maps import create_map
from tests.builders.kernel_programs import array

node = Path(sys.argv[1]) / "node"
path = node / "bpf"
try:
    if sys.argv[2] == "pin":
        must_last = sys.argv[3:] != ["temporary"]
        with open_lasting_pins(path, node, must_last=must_last) as pins:
            with create_map(array("counts")) as made:
                pins.pin(made, "maps", "kept")
            lasts = is_lasting(pins, node, "maps", "kept")
        print("pinned, lasting" if lasts else "pinned, not lasting")
    elif sys.argv[2].startswith("open"):
        with open_lasting_pins(path, node) as pins, create_map(array("counts")) as made:
            if sys.argv[2] == "open-first":
                pins.pin(made, "maps", "kept")
            subprocess.run(["umount", "-l", "/proc", "/proc"], check=True)
            pins.open_map("maps", "kept") if pins.names("maps") else pins.pin(made, "kept")
    elif sys.argv[2] == "look":
        pins = find_lasting_pins(path, node)
        print("none" if pins is None else ",".join(pins.names("maps")))
    else:
        print("unmounted" if unmount_lasting_pins(path, node) else "not mounted")
except SkepError as error:
    print(type(error).__name__)
"""

PRIVATELY = "unshare --mount --propagation private"


def _run(machine: Machine, script: str, *arguments: str) -> list[str]:
    (machine.directory / "node").mkdir(exist_ok=True)
    return machine.run(script, code=PROGRAM, arguments=arguments)


def test_what_is_pinned_in_a_private_mount_namespace_outlives_the_command(machine: Machine) -> None:
    assert _run(machine, f"{PRIVATELY} $python pin; $python look; ls $directory/node/bpf/maps") == [
        "pinned, lasting",
        "kept",
        "kept",
    ]


def test_a_command_in_a_private_mount_namespace_sees_what_is_pinned_outside(
    machine: Machine,
) -> None:
    # The shell in between made its namespace before the file system was mounted.
    script = f"""
        mkfifo $directory/gate
        {PRIVATELY} sh -c 'read _ < $directory/gate; $python look' &
        $python pin
        echo go > $directory/gate
        wait $!
    """
    assert _run(machine, script) == ["pinned, lasting", "kept"]


def test_looking_mounts_nothing(machine: Machine) -> None:
    script = f"{PRIVATELY} $python look; $python look; grep -c /node/bpf /proc/self/mountinfo || :"
    assert _run(machine, script) == ["none", "none", "0"]


def test_ip_netns_exec_pins_where_it_lasts(machine: Machine, wire: Wire) -> None:
    script = 'ip netns exec "$1" $python pin; $python look; ip netns exec "$1" $python look'
    assert _run(machine, script, wire.namespace) == ["pinned, lasting", "kept", "kept"]


def test_unmounting_happens_where_it_is_mounted(machine: Machine) -> None:
    script = f"$python pin; {PRIVATELY} $python unmount; $python look; $python unmount"
    assert _run(machine, script) == ["pinned, lasting", "unmounted", "none", "not mounted"]


def test_process_1_itself_is_refused_as_its_mounts_end_with_it(machine: Machine) -> None:
    assert _run(machine, "exec $python pin") == ["PinsWouldEnd"]


def test_process_1_may_use_a_file_system_that_was_mounted_for_it(machine: Machine) -> None:
    script = "mkdir $directory/node/bpf; mount -t bpf bpf $directory/node/bpf -o mode=0700; "
    assert _run(machine, script + "exec $python pin") == ["pinned, lasting"]


def test_a_node_in_a_tree_of_its_own_is_refused(machine: Machine) -> None:
    script = f"{PRIVATELY} sh -c 'mount -t tmpfs none $directory/node; $python pin'"
    assert _run(machine, script) == ["PinsWouldEnd"]


def test_a_node_in_a_tree_of_its_own_is_fine_for_what_need_not_last(machine: Machine) -> None:
    script = f"{PRIVATELY} sh -c 'mount -t tmpfs none $directory/node; $python pin temporary'"
    assert _run(machine, script) == ["pinned, lasting"]


def test_a_node_in_a_tree_of_its_own_lasts_with_a_process_that_stays(machine: Machine) -> None:
    # As a container that sees the processes of its host: its main process, and a command in it.
    script = f"""
        mkfifo $directory/ready
        setsid {PRIVATELY} sh -c 'mount -t tmpfs none $directory/node
            echo $$ > $directory/ready; exec sleep 60' &
        read number < $directory/ready
        nsenter --target $number --mount setsid --wait $python pin
        nsenter --target $number --mount setsid --wait $python look
    """
    assert _run(machine, script) == ["pinned, lasting", "kept"]


def test_a_file_system_process_1_sees_too_lasts_wherever_it_is_mounted(machine: Machine) -> None:
    # As a container that was given the file system of its host.
    script = f"""
        mkdir $directory/hosts
        mount -t bpf bpf $directory/hosts -o mode=0700
        {PRIVATELY} sh -c '
            mount -t tmpfs none $directory/node
            mkdir $directory/node/bpf
            mount --bind $directory/hosts $directory/node/bpf
            $python pin'
        ls $directory/hosts/maps
    """
    assert _run(machine, script) == ["pinned, lasting", "kept"]


def test_a_symbolic_link_on_the_way_is_resolved_where_it_lasts(machine: Machine) -> None:
    (machine.directory / "elsewhere").mkdir()
    (machine.directory / "node").symlink_to(machine.directory / "elsewhere")
    script = f"{PRIVATELY} $python pin; ls $directory/elsewhere/bpf/maps"
    assert machine.run(script, code=PROGRAM) == ["pinned, lasting", "kept"]


@pytest.mark.parametrize(
    ("argument", "said"),
    [("pin", "KernelFilesMissing"), ("look", "none"), ("unmount", "not mounted")],
)
def test_without_proc_only_looking_works(machine: Machine, argument: str, said: str) -> None:
    script = f"{PRIVATELY} sh -c 'umount -l /proc; umount -l /proc; $python {argument}'"
    assert _run(machine, script) == [said]


@pytest.mark.parametrize("argument", ["open", "open-first"])
def test_pins_that_need_proc_say_so(machine: Machine, argument: str) -> None:
    assert _run(machine, f"$python {argument}") == ["KernelFilesMissing"]


def test_first_commands_at_the_same_time_mount_one_file_system(machine: Machine) -> None:
    pins = " & ".join(f"$python pin > $directory/said-{number}" for number in range(4))
    script = f"{pins} & wait; cat $directory/said-*; grep -c /node/bpf /proc/self/mountinfo"
    *said, mounts = _run(machine, script)
    assert mounts == "1"
    assert sorted(said) == ["PinExists"] * 3 + ["pinned, lasting"]


def test_a_pin_does_not_last_that_is_hidden_or_gone(tmp_path: Path) -> None:
    path = tmp_path / "bpf"
    try:
        with open_lasting_pins(path, tmp_path) as pins, create_map(array("counts")) as made:
            pins.pin(made, "kept")
            assert is_lasting(pins, tmp_path, "kept")
            assert not is_lasting(pins, tmp_path, "another")
            mount_bpf_file_system(os.fsencode(path))
            assert not is_lasting(pins, tmp_path, "kept")
            unmount(path)
            pins.remove("kept")
            assert not is_lasting(pins, tmp_path, "kept")
    finally:
        while is_bpffs(path):
            unmount(path)
    assert find_lasting_pins(path, tmp_path) is None


def test_what_nobody_would_find_later_is_not_left_attached(tmp_path: Path, wire: Wire) -> None:
    bpffs = tmp_path / "bpf"
    try:
        with open_lasting_pins(bpffs, tmp_path, must_last=False) as pins:
            kernel = KernelAdapter(pins, partial(is_lasting, pins, tmp_path))
            identity = kernel.locate(HookTarget("xdp", wire.name)).identity
            mount_bpf_file_system(os.fsencode(bpffs))
            with kernel.load(returning(2), [], "skep_0123456789") as program:
                with pytest.raises(PinsNotFound):
                    kernel.attach("xdp", identity, program)
                assert xdp_program_id(wire.ifindex) is None
    finally:
        while is_bpffs(bpffs):
            unmount(bpffs)
