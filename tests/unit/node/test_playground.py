"""Playgrounds on a host in memory, with real files and processes."""

# ruff: noqa: ARG002 - arguments are the port's

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skep.errors import Unavailable, UsageError
from skep.node.playground import (
    BadPlaygroundName,
    PlaygroundInUse,
    PlaygroundKeeper,
    end_process,
    start_time,
)

NAME = "skep-demo-1"


class FakeHost:
    def __init__(self) -> None:
        self.namespaces: set[str] = set()
        self.interfaces: set[str] = set()
        self.mounts: set[Path] = set()
        self.asked: list[Path] = []
        self.stuck = False
        self.refuses = False

    def create_namespace(self, name: str) -> None:
        self.namespaces.add(name)

    def remove_namespace(self, name: str) -> bool:
        was = name in self.namespaces
        self.namespaces.discard(name)
        return was

    def create_veth(
        self, name: str, peer: str, namespace: str, address: str, peer_address: str
    ) -> None:
        assert namespace in self.namespaces
        if self.refuses:
            raise Unavailable("no interface today")
        self.interfaces.add(name)

    def remove_interface(self, name: str) -> bool:
        if self.stuck:
            raise Unavailable("the interface is stuck")
        was = name in self.interfaces
        self.interfaces.discard(name)
        return was

    def introduce(
        self, interface: str, peer: str, namespace: str, addresses: tuple[str, str]
    ) -> tuple[str, str]:
        return ("02:00:00:00:00:01", "02:00:00:00:00:02")

    def unmount(self, path: Path) -> bool:
        self.asked.append(path)
        was = path in self.mounts
        self.mounts.discard(path)
        return was


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def keeper(tmp_path: Path, host: FakeHost) -> PlaygroundKeeper:
    return PlaygroundKeeper(tmp_path / "demo", lambda: host)


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def test_an_open_playground_has_everything_and_then_nothing(
    keeper: PlaygroundKeeper, host: FakeHost, tmp_path: Path
) -> None:
    with keeper.open(NAME) as playground:
        assert host.namespaces == host.interfaces == {NAME}
        assert playground.address != playground.peer_address
        (playground.directory / "file").write_text("x")
        assert keeper.left_behind() == ()
    assert (host.namespaces, host.interfaces) == (set(), set())
    assert not (tmp_path / "demo").exists()


def test_directories_made_for_it_go_with_it_and_those_that_were_there_stay(
    host: FakeHost, tmp_path: Path
) -> None:
    with PlaygroundKeeper(tmp_path / "new" / "root" / "demo", lambda: host).open(NAME):
        pass
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "root").mkdir()
    with PlaygroundKeeper(tmp_path / "root" / "demo", lambda: host).open(NAME):
        pass
    assert list(tmp_path.iterdir()) == [tmp_path / "root"]


def test_directories_made_for_it_stay_while_something_else_is_in_them(
    host: FakeHost, tmp_path: Path
) -> None:
    with PlaygroundKeeper(tmp_path / "root" / "demo", lambda: host).open(NAME):
        (tmp_path / "root" / "state").touch()
    assert list((tmp_path / "root").iterdir()) == [tmp_path / "root" / "state"]


def test_an_error_inside_leaves_nothing(
    keeper: PlaygroundKeeper, host: FakeHost, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt), keeper.open(NAME):
        raise KeyboardInterrupt
    assert (host.namespaces, list(tmp_path.iterdir())) == (set(), [])


def test_one_that_cannot_be_made_leaves_nothing(
    keeper: PlaygroundKeeper, host: FakeHost, tmp_path: Path
) -> None:
    host.refuses = True
    with pytest.raises(Unavailable), keeper.open(NAME):
        pass
    assert (host.namespaces, list(tmp_path.iterdir())) == (set(), [])


def test_noted_processes_and_mounts_go_with_it(keeper: PlaygroundKeeper, host: FakeHost) -> None:
    with sleeper() as child:
        with keeper.open(NAME) as playground:
            playground.note_process(child.pid)
            playground.note_mount(playground.directory / "bpf")
            host.mounts.add(playground.directory / "bpf")
        assert child.wait() != 0
    assert host.mounts == set()


def test_a_name_is_taken_while_it_is_open(keeper: PlaygroundKeeper, host: FakeHost) -> None:
    with keeper.open(NAME):
        with pytest.raises(PlaygroundInUse), keeper.open(NAME):
            pass
        assert host.interfaces == {NAME}


@pytest.mark.parametrize(
    "name", ["", "eth0", "..", "skep-demo/../x", "skep-demo-", "skep-demo-toolong", "skep-demo-\n"]
)
def test_other_names_are_refused(keeper: PlaygroundKeeper, name: str) -> None:
    with pytest.raises(BadPlaygroundName), keeper.open(name):
        pass
    with pytest.raises(BadPlaygroundName):
        keeper.clear(name)


def test_mounts_elsewhere_are_not_noted(keeper: PlaygroundKeeper) -> None:
    with keeper.open(NAME) as playground, pytest.raises(UsageError):
        playground.note_mount(Path("/sys/fs/bpf"))


def leave_behind(directory: Path, **changes: object) -> Path:
    path = directory / "demo" / NAME
    path.mkdir(parents=True)
    document = {"name": NAME, "owner": [2**22 + 1, 1], "processes": [], "mounts": []} | changes
    (path / "marker.json").write_text(json.dumps(document))
    return path


def test_what_a_dead_process_left_is_found_and_cleared(
    keeper: PlaygroundKeeper, host: FakeHost, tmp_path: Path
) -> None:
    path = leave_behind(tmp_path)
    host.interfaces.add(NAME)
    assert keeper.left_behind() == (NAME,)
    assert keeper.clear(NAME) == (f"removed interface {NAME}", f"removed {path}")
    assert keeper.left_behind() == ()


def test_a_process_number_that_is_used_again_is_not_ended(
    keeper: PlaygroundKeeper, tmp_path: Path
) -> None:
    with sleeper() as child:
        leave_behind(tmp_path, processes=[[child.pid, 12345], [1, start_time(1)], [0, 0], [-1, 0]])
        keeper.clear(NAME)
        assert child.poll() is None
        child.kill()


def test_a_marker_that_names_mounts_elsewhere_unmounts_nothing(
    keeper: PlaygroundKeeper, host: FakeHost, tmp_path: Path
) -> None:
    path = leave_behind(tmp_path)
    (path / "marker.json").unlink()
    (path / "marker.json").write_text(
        json.dumps(
            {
                "owner": [2**22 + 1, 1],
                "processes": [],
                "mounts": ["/sys/fs/bpf", "/", f"{path}/../other", str(path), f"{path}/bpf"],
            }
        )
    )
    keeper.clear(NAME)
    assert host.asked == [path / "bpf"]


def test_a_marker_that_names_directories_elsewhere_removes_none(
    keeper: PlaygroundKeeper, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    leave_behind(tmp_path, parents=[str(other), f"{tmp_path}/demo/../other"])
    keeper.clear(NAME)
    assert other.is_dir()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"owner": 1}', b"\xff", b"[" * 50_000]
)
def test_a_marker_that_cannot_be_read_is_cleared_all_the_same(
    keeper: PlaygroundKeeper, host: FakeHost, tmp_path: Path, content: bytes
) -> None:
    path = leave_behind(tmp_path)
    (path / "marker.json").write_bytes(content)
    host.namespaces.add(NAME)
    assert keeper.left_behind() == (NAME,)
    keeper.clear(NAME)
    assert host.namespaces == set()
    assert not path.exists()


def test_what_cannot_be_removed_keeps_the_marker(
    keeper: PlaygroundKeeper, host: FakeHost, tmp_path: Path
) -> None:
    leave_behind(tmp_path)
    host.stuck = True
    host.namespaces.add(NAME)
    with pytest.raises(Unavailable):
        keeper.clear(NAME)
    assert host.namespaces == set()
    assert keeper.left_behind() == (NAME,)


def test_symbolic_links_are_removed_and_not_followed(
    keeper: PlaygroundKeeper, tmp_path: Path
) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")
    path = leave_behind(tmp_path)
    (path / "link").symlink_to(tmp_path / "precious")
    keeper.clear(NAME)
    assert (tmp_path / "precious" / "file").exists()


def test_only_the_very_process_is_ended() -> None:
    with sleeper() as child:
        started = start_time(child.pid)
        assert started is not None
        assert not end_process(child.pid, started + 1)
        assert end_process(child.pid, started)
        child.wait()
    assert start_time(os.getpid()) is not None
