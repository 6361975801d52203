"""Full disks, read-only and missing file systems: named, and nothing is half done."""

import sys

import pytest
from tests.kernel.conftest import Machine

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
    said = _run(machine, f"{state} skep doctor; skep list")
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
    expected = "8" if command == "doctor" and "/proc" in hidden else "0"
    assert said.split()[0] == expected
    assert expected == "0" or "/proc" in said


def test_looking_makes_nothing(machine: Machine) -> None:
    said = _run(
        machine,
        "skep list; skep chain; find $directory/root -mindepth 1; "
        "grep -c $directory/root/bpf /proc/self/mountinfo || :",
    )
    assert said == ["0 ", "0 ", "0"]
