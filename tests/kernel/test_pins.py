"""Pins: they outlive us, and nothing outside their root can be reached."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.builders.attaching import attach_xdp
from tests.builders.kernel_programs import array, key, program
from tests.kernel.conftest import Wire

from skep.errors import SkepError, UsageError
from skep.kernel.errors import (
    NotBpffs,
    OutsidePinRoot,
    PinExists,
    PinMissing,
    UnsafePinRoot,
)
from skep.kernel.loading import load_program
from skep.kernel.maps import LoadedMap, create_map
from skep.kernel.pins import PinRoot, is_bpffs, mount_bpffs, unmount

pytestmark = pytest.mark.kernel


@pytest.fixture
def counts() -> Iterator[LoadedMap]:
    with create_map(array()) as made:
        yield made


def _listed(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def test_a_pinned_map_survives_closing(pins: PinRoot) -> None:
    with create_map(array()) as made:
        made.update(key(0), b"survives")
        pins.pin(made, "maps", "counts")
        identity = made.id
    with pins.open_map("maps", "counts") as opened:
        assert opened.id == identity
        assert opened.lookup(key(0)) == b"survives"


def test_pins_survive_closing_the_root(bpffs: Path, counts: LoadedMap) -> None:
    with PinRoot(bpffs / "skep") as root:
        root.pin(counts, "counts")
    with PinRoot(bpffs / "skep") as root, root.open_map("counts") as opened:
        assert opened.id == counts.id


def test_programs_and_links_are_pinned_and_links_opened(pins: PinRoot, wire: Wire) -> None:
    with load_program(program("first"), []) as loaded:
        pins.pin(loaded, "programs", "first")
        with attach_xdp(loaded, wire.ifindex) as link:
            pins.pin(link, "links", "xdp")
        number = loaded.id
    with pins.open_link("links", "xdp") as link:
        assert link.program_id() == number


def test_a_pin_of_another_kind_is_not_opened(pins: PinRoot, counts: LoadedMap) -> None:
    pins.pin(counts, "counts")
    with pytest.raises(PinExists, match="it is a map"):
        pins.open_link("counts")


def test_names_are_listed_sorted_and_missing_directories_are_empty(
    pins: PinRoot, counts: LoadedMap
) -> None:
    pins.pin(counts, "b")
    pins.pin(counts, "a", "inner")
    assert pins.names() == ("a", "b")
    assert pins.names("a") == ("inner",)
    assert pins.names("nothing", "here") == ()


def test_a_name_is_pinned_once(pins: PinRoot, counts: LoadedMap) -> None:
    pins.pin(counts, "counts")
    with pytest.raises(PinExists, match="already"):
        pins.pin(counts, "counts")


def test_removing_says_whether_there_was_anything(pins: PinRoot, counts: LoadedMap) -> None:
    pins.pin(counts, "a", "b", "counts")
    pins.pin(counts, "a", "other")
    assert pins.remove("a", "other")
    assert not pins.remove("a", "other")
    assert not pins.remove("nothing", "here")
    assert pins.remove("a")
    assert pins.names() == ()


def test_renaming_replaces_in_one_step(pins: PinRoot, counts: LoadedMap) -> None:
    with create_map(array("next")) as following:
        pins.pin(counts, "now")
        pins.pin(following, "staging", "next")
        pins.rename(("staging", "next"), ("now",))
        assert pins.names("staging") == ()
        with pins.open_map("now") as opened:
            assert opened.id == following.id


def test_renaming_what_is_missing_or_onto_a_directory_fails(
    pins: PinRoot, counts: LoadedMap
) -> None:
    with pytest.raises(PinMissing):
        pins.rename(("nothing",), ("now",))
    pins.pin(counts, "counts")
    pins.pin(counts, "directory", "counts")
    with pytest.raises(PinExists):
        pins.rename(("counts",), ("directory",))
    with pytest.raises(PinExists):
        pins.rename(("directory",), ("elsewhere",))
    assert pins.names() == ("counts", "directory")


def test_a_missing_pin_is_missing(pins: PinRoot) -> None:
    with pytest.raises(PinMissing):
        pins.open_map("nothing")
    with pytest.raises(PinMissing):
        pins.open_map("no", "directory")


def test_a_pin_is_not_a_directory(pins: PinRoot, counts: LoadedMap) -> None:
    pins.pin(counts, "counts")
    pins.pin(counts, "directory", "counts")
    with pytest.raises(OutsidePinRoot):
        pins.pin(counts, "counts", "inner")
    with pytest.raises(PinExists, match="is a directory"):
        pins.open_map("directory")


_HOSTILE = [
    pytest.param(("..",), id="parent"),
    pytest.param(("..", "outside"), id="through-the-parent"),
    pytest.param(("a", "..", "..", "outside"), id="down-and-up"),
    pytest.param((".",), id="here"),
    pytest.param(("../outside",), id="separator-and-parent"),
    pytest.param(("/outside",), id="absolute"),
    pytest.param(("a/b",), id="separator"),
    pytest.param(("a\0b",), id="nul"),
    pytest.param(("",), id="empty"),
    pytest.param((), id="the-root-itself"),
    pytest.param(("a.b",), id="dot"),
    pytest.param(("a\n",), id="newline"),
    pytest.param(("é",), id="not-ascii"),
    pytest.param(("a" * 201,), id="too-long"),
    pytest.param(("a",) * 17, id="too-deep"),
]


@pytest.mark.parametrize("parts", _HOSTILE)
def test_a_name_that_could_lead_outside_is_refused_everywhere(
    bpffs: Path, pins: PinRoot, counts: LoadedMap, parts: tuple[str, ...]
) -> None:
    with PinRoot(bpffs / "other") as outside:
        outside.pin(counts, "precious")
    attempts: list[Callable[[], object]] = [
        lambda: pins.pin(counts, *parts),
        lambda: pins.open_map(*parts),
        lambda: pins.open_link(*parts),
        lambda: pins.remove(*parts),
        lambda: pins.rename(parts, ("target",)),
        lambda: pins.rename(("source",), parts),
    ]
    if parts:
        attempts.append(lambda: pins.names(*parts))
    for attempt in attempts:
        with pytest.raises(OutsidePinRoot):
            attempt()
    assert _listed(bpffs) == ["maps.debug", "other", "progs.debug", "skep"]
    assert _listed(bpffs / "other") == ["precious"]


def test_a_text_is_not_taken_for_its_letters(pins: PinRoot) -> None:
    with pytest.raises(UsageError):
        pins.rename("ab", ("target",))


def test_a_symbolic_link_to_a_pin_elsewhere_is_not_opened(
    bpffs: Path, pins: PinRoot, counts: LoadedMap
) -> None:
    with PinRoot(bpffs / "other") as outside:
        outside.pin(counts, "precious")
    (pins.path / "innocent").symlink_to(bpffs / "other" / "precious")
    attempts: list[Callable[[], object]] = [
        lambda: pins.open_map("innocent"),
        lambda: pins.rename(("innocent",), ("target",)),
    ]
    for attempt in attempts:
        with pytest.raises(OutsidePinRoot, match="symbolic link"):
            attempt()
    with pytest.raises(PinExists):
        pins.pin(counts, "innocent")


def test_a_symbolic_link_to_a_directory_elsewhere_is_not_entered(
    bpffs: Path, pins: PinRoot, counts: LoadedMap
) -> None:
    with PinRoot(bpffs / "other") as outside:
        outside.pin(counts, "precious")
    (pins.path / "innocent").symlink_to(bpffs / "other")
    attempts: list[Callable[[], object]] = [
        lambda: pins.pin(counts, "innocent", "planted"),
        lambda: pins.open_map("innocent", "precious"),
        lambda: pins.names("innocent"),
        lambda: pins.remove("innocent", "precious"),
        lambda: pins.rename(("innocent", "precious"), ("mine",)),
    ]
    for attempt in attempts:
        with pytest.raises(OutsidePinRoot, match="symbolic link"):
            attempt()
    assert _listed(bpffs / "other") == ["precious"]


def test_removing_a_symbolic_link_leaves_what_it_points_to(
    bpffs: Path, pins: PinRoot, counts: LoadedMap, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("precious")
    pins.pin(counts, "a", "counts")
    (pins.path / "a" / "innocent").symlink_to(elsewhere)
    (pins.path / "direct").symlink_to(elsewhere)
    assert pins.remove("direct")
    assert pins.remove("a")
    assert (elsewhere / "file").read_text() == "precious"
    assert pins.names() == ()


def test_what_is_mounted_below_the_root_is_outside(
    pins: PinRoot, counts: LoadedMap, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("precious")
    (pins.path / "a").mkdir()
    (pins.path / "a" / "b").mkdir()
    mount = pins.path / "a" / "b"
    subprocess.run(["mount", "--bind", elsewhere, mount], check=True)
    try:
        for attempt in (
            lambda: pins.remove("a"),
            lambda: pins.names("a", "b"),
            lambda: pins.remove("a", "b", "file"),
            lambda: pins.pin(counts, "a", "b", "counts"),
        ):
            with pytest.raises(OutsidePinRoot, match="another file system"):
                attempt()
        assert (elsewhere / "file").read_text() == "precious"
    finally:
        subprocess.run(["umount", mount], check=True)


def test_a_root_that_is_a_symbolic_link_is_refused(bpffs: Path) -> None:
    (bpffs / "real").mkdir(mode=0o700)
    (bpffs / "root").symlink_to(bpffs / "real")
    with pytest.raises(NotBpffs):
        PinRoot(bpffs / "root")


def test_a_root_elsewhere_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotBpffs):
        PinRoot(tmp_path / "pins")
    assert not (tmp_path / "pins").exists()
    (tmp_path / "pins").mkdir()
    with pytest.raises(NotBpffs, match="another one"):
        PinRoot(tmp_path / "pins")


def test_a_root_of_a_name_the_file_system_reserves_is_refused(bpffs: Path) -> None:
    with pytest.raises(SkepError, match=r"skep\.d"):
        PinRoot(bpffs / "skep.d")


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_root_others_may_write_in_is_refused(bpffs: Path, mode: int) -> None:
    (bpffs / "skep").mkdir()
    (bpffs / "skep").chmod(mode)
    with pytest.raises(UnsafePinRoot, match=f"mode {mode:o}"):
        PinRoot(bpffs / "skep")


def test_a_root_of_somebody_else_is_refused(bpffs: Path) -> None:
    (bpffs / "skep").mkdir(mode=0o700)
    os.chown(bpffs / "skep", 65534, 65534)
    with pytest.raises(UnsafePinRoot, match="owner 65534"):
        PinRoot(bpffs / "skep")


def test_the_mount_itself_can_be_the_root(bpffs: Path, counts: LoadedMap) -> None:
    with PinRoot(bpffs) as root:
        root.pin(counts, "counts")
        assert root.names() == ("counts",)


def test_mounting_is_done_once_and_undone(tmp_path: Path) -> None:
    path = tmp_path / "made" / "here"
    assert not is_bpffs(path)
    assert mount_bpffs(path)
    try:
        assert is_bpffs(path)
        assert not mount_bpffs(path)
        assert path.stat().st_mode & 0o777 == 0o700
    finally:
        unmount(path)
    assert not is_bpffs(path)


def test_only_a_bpf_file_system_is_unmounted(tmp_path: Path, bpffs: Path) -> None:
    with pytest.raises(NotBpffs):
        unmount(tmp_path)
    with pytest.raises(NotBpffs):
        unmount(tmp_path / "nothing")
    (bpffs / "inside").mkdir()
    with pytest.raises(NotBpffs, match="inside"):
        unmount(bpffs / "inside")
    (tmp_path / "alias").symlink_to(bpffs)
    with pytest.raises(NotBpffs):
        unmount(tmp_path / "alias")


def test_a_mount_point_that_cannot_be_made_is_ours_to_explain(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SkepError, match="could not create"):
        mount_bpffs(tmp_path / "file" / "bpf")
