"""Which mount namespace this is, told from a ``/proc`` laid out for the test."""

import os
from pathlib import Path

import pytest

from skep.kernel import mount_namespaces, process_one
from skep.kernel.errors import KernelFilesMissing
from skep.kernel.mount_namespaces import (
    CannotEnter,
    as_process_1,
    others_share_our_mounts,
    process_1_sees_bpffs,
    shares_mounts_with_process_1,
)
from skep.kernel.process_one import is_process_1, mounts_stand_in, network_stand_in

SELF = "100"


@pytest.fixture
def proc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A ``/proc`` in which this process has the number 100."""
    for module in (mount_namespaces, process_one):
        monkeypatch.setattr(module, "PROC", tmp_path / "proc")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "self").symlink_to(SELF)
    return tmp_path / "proc"


def process(
    proc: Path, number: str, *, namespace: str = "", parent: str = "0", session: str = "1"
) -> Path:
    """Add a process; without ``namespace`` its namespace may not be looked at."""
    directory = proc / number
    (directory / "ns").mkdir(parents=True)
    if namespace:
        file = proc / f"namespace-{namespace}"
        file.touch()
        (directory / "ns" / "mnt").symlink_to(file)
    # A name may have spaces and parentheses of its own.
    (directory / "stat").write_text(f"{number} (a ) b) S {parent} 1 {session} 0 -1 4194560\n")
    return directory


def mounts(directory: Path, *lines: str) -> None:
    (directory / "mountinfo").write_text("".join(f"{line}\n" for line in lines))


ROOT = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw"
BPF = "44 27 0:40 / /run/skep/bpf rw,nosuid shared:1 master:2 - bpf bpf rw,mode=700"


@pytest.mark.parametrize(("theirs", "shared"), [("host", True), ("other", False)])
def test_namespaces_are_compared_where_both_can_be_seen(
    proc: Path,
    theirs: str,
    shared: bool,  # noqa: FBT001 - the expected answer
) -> None:
    process(proc, SELF, namespace="host")
    process(proc, "1", namespace=theirs)
    assert shares_mounts_with_process_1() is shared


@pytest.mark.parametrize(
    ("line", "shared"),
    [
        pytest.param(ROOT, True, id="the-same-mount"),
        pytest.param(ROOT.replace("27", "91", 1), False, id="a-copy-of-it"),
    ],
)
def test_mounts_are_compared_where_process_1_hides_its_namespace(
    proc: Path,
    line: str,
    shared: bool,  # noqa: FBT001 - the expected answer
) -> None:
    mounts(process(proc, SELF, namespace="ours"), ROOT, BPF)
    mounts(process(proc, "1"), line)
    assert shares_mounts_with_process_1() is shared


def test_a_hidden_process_1_is_taken_for_another_namespace(proc: Path) -> None:
    mounts(process(proc, SELF, namespace="ours"), ROOT)
    assert not shares_mounts_with_process_1()


def test_without_proc_nothing_can_be_said(proc: Path) -> None:
    (proc / "self").unlink()
    with pytest.raises(KernelFilesMissing, match="/proc is not mounted"):
        shares_mounts_with_process_1()
    assert not is_process_1()


def test_a_bpf_file_system_is_known_by_its_device(proc: Path) -> None:
    mounts(process(proc, "1"), ROOT, BPF)
    assert process_1_sees_bpffs(os.makedev(0, 40))
    assert not process_1_sees_bpffs(os.makedev(0, 41))
    assert not process_1_sees_bpffs(os.makedev(254, 0)), "an ext4"


def test_process_1_knows_itself(proc: Path) -> None:
    assert not is_process_1()
    (proc / "self").unlink()
    (proc / "self").symlink_to("1")
    assert is_process_1()


@pytest.mark.parametrize(
    ("others", "shared"),
    [
        pytest.param({}, False, id="alone"),
        pytest.param({"50": ("ours", "7")}, True, id="another-session"),
        pytest.param({"50": ("ours", "9")}, False, id="our-session"),
        pytest.param({"50": ("host", "7")}, False, id="another-namespace"),
        pytest.param({"50": ("", "7")}, False, id="hidden"),
        pytest.param({"90": ("ours", "8")}, False, id="what-started-us"),
    ],
)
def test_who_shares_our_mounts_and_does_not_end_with_us(
    proc: Path,
    others: dict[str, tuple[str, str]],
    shared: bool,  # noqa: FBT001 - the expected answer
) -> None:
    process(proc, SELF, namespace="ours", parent="90", session="9")
    process(proc, "1", namespace="host", session="1")
    for number, (namespace, session) in others.items():
        process(proc, number, namespace=namespace, parent="1", session=session)
    assert others_share_our_mounts() is shared


def test_a_process_1_that_may_not_be_entered_is_named(proc: Path) -> None:
    process(proc, "1")
    with pytest.raises(CannotEnter):
        as_process_1(lambda: None)


def test_the_topmost_process_with_the_mounts_of_process_1_stands_in_for_it(proc: Path) -> None:
    mounts(process(proc, "1"), ROOT)
    mounts(process(proc, "50", namespace="a", parent="1"), ROOT)
    mounts(process(proc, "70", namespace="a", parent="50"), ROOT)
    mounts(process(proc, SELF, namespace="b", parent="70"), ROOT.replace("27", "99", 1))
    assert mounts_stand_in() == "50"


def test_nobody_stands_in_for_process_1_whose_mounts_are_others(proc: Path) -> None:
    mounts(process(proc, "1"), ROOT)
    mounts(process(proc, "50", namespace="a", parent="1"), ROOT.replace("27", "98", 1))
    mounts(process(proc, SELF, namespace="b", parent="50"), ROOT.replace("27", "99", 1))
    assert mounts_stand_in() == "1"


def test_process_1_itself_is_taken_where_it_may_be_looked_at(proc: Path) -> None:
    mounts(process(proc, "1", namespace="a"), ROOT)
    mounts(process(proc, SELF, namespace="a", parent="1"), ROOT)
    assert mounts_stand_in() == "1"


def test_who_shares_the_network_of_process_1_is_told_by_its_files(proc: Path) -> None:
    for number, parent in (("1", "0"), ("50", "1"), ("70", "50"), (SELF, "70")):
        directory = process(proc, number, parent=parent)
        (directory / "net").mkdir()
        if number != "1":
            (directory / "ns" / "net").touch()
    (proc / "1" / "net" / "dev").touch()
    (proc / SELF / "net" / "dev").touch()
    for number in ("50", "70"):
        (proc / number / "net" / "dev").hardlink_to(proc / "1" / "net" / "dev")
    assert network_stand_in() == "50"
