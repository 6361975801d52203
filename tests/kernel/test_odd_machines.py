"""Full disks, read-only and missing file systems: named, and nothing is half done."""

import sys
from pathlib import Path

import pytest
from tests.builders.attaching import xdp_program_id
from tests.builders.live_node import live_node
from tests.kernel.conftest import Machine

from skep.kernel.interfaces import ifindex

pytestmark = pytest.mark.kernel

FULL = "cat /dev/zero > $directory/root/filler 2>/dev/null || :; "
READ_ONLY = "mount -o remount,ro $directory/root; "


def _run(machine: Machine, script: str) -> list[str]:
    """Run a script in which ``skep …`` prints the exit code and the first line on stderr."""
    skep = (
        'skep() { code=0; said=$($python_itself -m skep "$@" 2>&1 >/dev/null) || code=$?; '
        'echo "$code" "$said" | head -n 1; }; '
    )
    prepared = (
        "mkdir $directory/root; mount -t tmpfs -o size=256k,mode=0700 none $directory/root; "
        f"export SKEP_ROOT=$directory/root python_itself={sys.executable}; {skep}"
    )
    return machine.run(prepared + script)


@pytest.mark.parametrize(
    ("state", "code", "reason"),
    [
        pytest.param(FULL, "9", "No space left on device", id="full"),
        pytest.param(READ_ONLY, "10", "Read-only file system", id="read-only"),
    ],
)
def test_a_key_is_made_whole_or_not_at_all(
    machine: Machine, state: str, code: str, reason: str
) -> None:
    said, *names = _run(machine, f"{state} skep keys create one; find $directory/root -type f")
    assert said.startswith(f"{code} error: {machine.directory}/root/keys")
    assert said.endswith(reason)
    assert [name for name in names if "filler" not in name] == []


@pytest.mark.parametrize(
    ("state", "code"),
    [pytest.param(FULL, "9", id="full"), pytest.param(READ_ONLY, "10", id="read-only")],
)
def test_a_node_that_cannot_be_written_is_named(machine: Machine, state: str, code: str) -> None:
    said = _run(machine, f"{state} skep remove nothing; skep list")
    assert [line.split()[0] for line in said] == [code, "0"]
    assert "bug" not in said[0]


@pytest.mark.parametrize(
    "hidden", ["/proc", "/sys", "/proc /sys"], ids=["proc", "sys", "proc-and-sys"]
)
@pytest.mark.parametrize("command", ["list", "chain", "keys create one", "doctor"])
def test_without_proc_and_sys_commands_work_or_name_it(
    machine: Machine, hidden: str, command: str
) -> None:
    script = f"for one in {hidden}; do mount -t tmpfs none $one; done; skep {command}"
    (said,) = _run(machine, script)
    assert "bug" not in said
    expected = "8" if command != "keys create one" and "/proc" in hidden else "0"
    assert said.split()[0] == expected
    assert expected == "0" or "/proc" in said


def test_looking_makes_nothing(machine: Machine) -> None:
    said = _run(
        machine,
        "skep list; skep chain; find $directory/root -mindepth 1; "
        "grep -c $directory/root/bpf /proc/self/mountinfo || :",
    )
    assert said == ["0 ", "0 ", "0"]


PRIVATE = {
    "unshare": "unshare --mount --propagation private",
    "ip-netns-exec": "ip netns exec $1",
}


@pytest.mark.parametrize("private", PRIVATE.values(), ids=PRIVATE.keys())
def test_an_installed_program_runs_when_the_command_has_ended(
    machine: Machine, tmp_path: Path, private: str
) -> None:
    with live_node(tmp_path) as node:
        # Its interface has its end for programs here, and its peer in the namespace.
        inside = "netns" in private
        interface = node.playground.peer if inside else node.playground.interface
        skep = f"{private} $python_itself -m skep"
        look = "ip netns exec $1 ip link show" if inside else "ip link show"
        script = rf"""
            export SKEP_ROOT={node.settings.root} python_itself={sys.executable}
            {skep} install --yes --quiet skep/port-filter --on xdp:$2 --set ports=9
            {look} $2 | grep -o "prog/xdp id"
            $python_itself -m skep list | grep -o "running\|not running\|no interface"
            {skep} list | grep -o "running\|not running"
            {skep} chain | grep -o "seen 0"
            {skep} remove --quiet port-filter
            {look} $2 | grep -c "prog/xdp id" || :
        """
        said = machine.run(script, arguments=(node.playground.namespace, interface))
    assert said == ["prog/xdp id", "running", "running", "seen 0", "0"]


@pytest.mark.parametrize("command", ["list", "chain"])
def test_without_proc_what_runs_is_not_said_to_be_gone(
    machine: Machine, tmp_path: Path, command: str
) -> None:
    with live_node(tmp_path) as node:
        script = f"""
            export SKEP_ROOT={node.settings.root}
            {sys.executable} -m skep install --yes --quiet skep/port-filter --on xdp:$1 \
                --set ports=9
            mount -t tmpfs none /proc
            {sys.executable} -m skep {command} 2>&1 || echo $?
        """
        said = machine.run(script, arguments=(node.playground.interface,))
    assert said[0].endswith(": /proc is not mounted here")
    assert said[-1] == "8"


def test_a_program_that_would_end_is_refused_before_anything_is_loaded(
    machine: Machine, tmp_path: Path
) -> None:
    with live_node(tmp_path) as node:
        script = f"""
            export SKEP_ROOT={node.settings.root}
            exec {sys.executable} -m skep install --yes skep/port-filter --on xdp:$1 --json
        """
        with pytest.raises(AssertionError, match="would end with it"):
            machine.run(script, arguments=(node.playground.interface,))
        assert xdp_program_id(ifindex(node.playground.interface)) is None
        assert not (node.settings.root / "bpf").exists()
