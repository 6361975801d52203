import io
import tarfile
from collections.abc import Callable

import pytest

from skep.packages.errors import MalformedPackage
from skep.packages.source_archive import MOST_FILES, check_paths, read_archive, write_archive

FILES = {"a.bpf.c": b"int x;\n", "box": b"x", "include/deep/b.h": b"", "z": bytes(600)}


def archive(*entries: tuple[str, bytes, Callable[[tarfile.TarInfo], object]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as file:
        for name, data, change in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            change(info)
            file.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def unchanged(_: tarfile.TarInfo) -> None:
    pass


def of_type(kind: bytes, target: str = "") -> Callable[[tarfile.TarInfo], None]:
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname = kind, target

    return change


def with_field(name: str, value: object) -> Callable[[tarfile.TarInfo], None]:
    return lambda info: setattr(info, name, value)


def test_files_are_read_as_they_were_written() -> None:
    assert read_archive(write_archive(FILES)) == FILES


def test_the_order_of_files_does_not_matter() -> None:
    assert write_archive(dict(reversed(FILES.items()))) == write_archive(FILES)


def test_other_tools_read_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(write_archive(FILES))) as file:
        assert file.getnames() == sorted(FILES)
        assert {info.mtime for info in file} == {0}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(archive(("../a", b"x", unchanged)), id="parent-directory"),
        pytest.param(archive(("a/../../b", b"x", unchanged)), id="parent-inside"),
        pytest.param(archive(("/etc/cron.d/a", b"x", unchanged)), id="absolute"),
        pytest.param(archive(("./a", b"x", unchanged)), id="dot"),
        pytest.param(archive(("a//b", b"x", unchanged)), id="empty-part"),
        pytest.param(archive((".bashrc", b"x", unchanged)), id="hidden"),
        pytest.param(archive(("a\\b", b"x", unchanged)), id="backslash"),
        pytest.param(archive(("a\nb", b"x", unchanged)), id="newline"),
        pytest.param(archive(("ä", b"x", unchanged)), id="not-ascii"),
        pytest.param(archive(("a" * 101, b"x", unchanged)), id="long-name"),
        pytest.param(archive(("a", b"", of_type(tarfile.SYMTYPE, "/etc/passwd"))), id="symlink"),
        pytest.param(archive(("a", b"", of_type(tarfile.LNKTYPE, "/etc/passwd"))), id="hard-link"),
        pytest.param(archive(("a", b"", of_type(tarfile.DIRTYPE))), id="directory"),
        pytest.param(archive(("a", b"", of_type(tarfile.CHRTYPE))), id="device"),
        pytest.param(archive(("a", b"", of_type(tarfile.FIFOTYPE))), id="pipe"),
        pytest.param(archive(("a", b"1", unchanged), ("a", b"2", unchanged)), id="twice"),
        pytest.param(archive(("a", b"", unchanged), ("a/b", b"", unchanged)), id="file-and-folder"),
        pytest.param(archive(("b", b"", unchanged), ("a", b"", unchanged)), id="wrong-order"),
        pytest.param(archive(("a", b"", with_field("mtime", 1))), id="time"),
        pytest.param(archive(("a", b"", with_field("uid", 1))), id="owner"),
        pytest.param(archive(("a", b"", with_field("mode", 0o4755))), id="setuid"),
        pytest.param(
            archive(*((f"f{number}", b"", unchanged) for number in range(MOST_FILES + 1))),
            id="too-many",
        ),
        pytest.param(b"", id="nothing"),
        pytest.param(archive(), id="no-files"),
        pytest.param(write_archive(FILES)[:700], id="truncated"),
        pytest.param(write_archive(FILES) + b"x", id="more-behind"),
        pytest.param(write_archive(FILES) + bytes(10240), id="more-padding"),
        pytest.param(b"\x1f\x8b" + bytes(600), id="compressed"),
        pytest.param(b"a" * 10240, id="letters"),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedPackage):
        read_archive(data)


def test_a_hundred_files_are_read_and_written() -> None:
    files = {f"f{number:03}": b"x" for number in range(100)}
    assert read_archive(write_archive(files)) == files
    with pytest.raises(MalformedPackage, match="expected at most 100 files, got 101"):
        write_archive(files | {"more": b""})


def test_more_files_are_refused_before_they_are_kept() -> None:
    many = archive(*((f"f{number:03}", b"", unchanged) for number in range(101)))
    with pytest.raises(MalformedPackage, match="truncated, or more than 100 files"):
        read_archive(many)


def test_a_path_of_100_characters_is_read_and_written() -> None:
    files = {"a" * 98 + "/b": b"x", "c" * 100: b"y"}
    assert read_archive(write_archive(files)) == files


@pytest.mark.parametrize("length", [0, 1, 511, 512, 513, 1024, 8**7])
def test_a_file_of_any_length_is_read(length: int) -> None:
    files = {"a": bytes(length), "b": b"behind"}
    assert read_archive(write_archive(files)) == files


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(archive(("../a", b"", unchanged)), r"path .* got '\.\./a'", id="path"),
        pytest.param(archive(("ä", b"", unchanged)), "path .* got '", id="not-ascii"),
        pytest.param(
            archive(("a", b"1", unchanged), ("a", b"2", unchanged)),
            "'a' is there twice",
            id="twice",
        ),
        pytest.param(
            archive(("a", b"", of_type(tarfile.DIRTYPE))), "regular files only", id="folder"
        ),
        pytest.param(write_archive(FILES)[:511], "regular files only", id="half-a-header"),
        pytest.param(write_archive(FILES)[:513], "truncated", id="half-a-file"),
        pytest.param(archive(), "as Skep writes it", id="no-files"),
        pytest.param(archive(("a", b"", with_field("uid", 1))), "as Skep writes it", id="owner"),
    ],
)
def test_a_refusal_says_what_is_wrong(data: bytes, said: str) -> None:
    with pytest.raises(MalformedPackage, match=f"^sources: .*{said}"):
        read_archive(data)


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param(["a", "b", "b"], id="file"),
        pytest.param(["a/b/c", "a/b"], id="folder"),
        pytest.param(["a/b", "a", "c"], id="first-folder"),
    ],
)
def test_paths_that_cannot_be_together_are_named(paths: list[str]) -> None:
    with pytest.raises(MalformedPackage, match=r"^here: .* is there twice"):
        check_paths(paths, "here")


def test_paths_may_share_a_folder_and_a_beginning() -> None:
    check_paths(["a/b", "a/c", "ab", "a.b"], "here")


@pytest.mark.parametrize(
    "size",
    [
        b"00000000008\0",
        b"0000000007~\0",
        b"99999999999\0",
        b"-0000000001\0",
        b"\x80" + bytes(11),
        b" " * 12,
    ],
)
def test_lies_about_a_size_are_refused(size: bytes) -> None:
    data = bytearray(write_archive(FILES))
    data[124:136] = size
    with pytest.raises(MalformedPackage, match="a size in a tar header"):
        read_archive(bytes(data))


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param(["../a"], id="traversal"),
        pytest.param(["a", "a/b"], id="file-and-folder"),
        pytest.param([f"f{number}" for number in range(MOST_FILES + 1)], id="too-many"),
    ],
)
def test_what_could_not_be_read_is_not_written(paths: list[str]) -> None:
    with pytest.raises(MalformedPackage):
        write_archive(dict.fromkeys(paths, b""))
