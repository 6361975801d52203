"""Compiling C: the same bytes wherever, and errors a person can act on."""

import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from tests.builders.compiled import INCLUDE, compiler

from skep.bytecode.objectfile.reading import read_object
from skep.compiling.compiler import CSource, Undisturbed, compile_object
from skep.compiling.errors import (
    CompileFailed,
    CompilerMissing,
    CompilerStarved,
    CompilerTimeout,
    CompilerUnsuitable,
    SourceMissing,
)
from skep.compiling.toolchain import CompilerChoice, find_compiler
from skep.errors import UsageError

SOURCE = """
#include <skep/maps.bpf.h>
#include "beside.bpf.h"

COUNTER(seen);

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	count(&seen);
	return VERDICT;
}

static const char where[] __attribute__((used)) = __FILE__;

LICENSE("GPL");
"""


def write(directory: Path, text: str = SOURCE) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "beside.bpf.h").write_text("#ifndef VERDICT\n#define VERDICT 2\n#endif\n")
    path = directory / "pass.bpf.c"
    path.write_text(text)
    return path


def build(
    source: Path,
    cache: Path,
    *,
    include: Path = INCLUDE,
    environment: Mapping[str, str] = os.environ,
    choice: CompilerChoice | None = None,
    defines: Mapping[str, str] | None = None,
    timeout_seconds: float = 60,
    undisturbed: Undisturbed = nullcontext,
) -> bytes:
    return compile_object(
        CSource(source, [include], defines or {}),
        choice or compiler(),
        cache=cache,
        environment=environment,
        timeout_seconds=timeout_seconds,
        undisturbed=undisturbed,
    )


@pytest.fixture(params=["zig", "clang"])
def choice(request: pytest.FixtureRequest) -> CompilerChoice:
    try:
        return find_compiler(os.environ, request.param)
    except CompilerMissing:
        if request.param == "zig":
            raise
        pytest.skip("no system clang is installed; zig, which is pinned, is always tried")


def test_an_object_has_its_maps_its_program_and_btf_and_no_dwarf(
    tmp_path: Path, choice: CompilerChoice
) -> None:
    data = build(write(tmp_path), tmp_path / "cache", choice=choice)
    read = read_object(data)
    assert [program.name for program in read.programs] == ["pass"]
    assert [each.name for each in read.maps] == ["seen", ".rodata"]
    assert read.licence == "GPL"
    assert read.has_btf
    assert read.source_lines
    assert b".debug" not in data
    assert b".eh_frame" not in data


def test_two_directories_give_the_same_bytes(tmp_path: Path, choice: CompilerChoice) -> None:
    here, there = tmp_path / "a", tmp_path / "somewhere" / "much deeper" / "ünder"
    first = build(write(here), tmp_path / "cache-1", choice=choice)
    shutil.copytree(INCLUDE, there / "headers")
    second = build(write(there), there / "cache-2", include=there / "headers", choice=choice)
    assert first == second
    assert str(tmp_path).encode() not in first
    assert Path.cwd().as_posix().encode() not in first


def test_headers_inside_the_source_directory_or_outside_give_the_same_bytes(
    tmp_path: Path, choice: CompilerChoice
) -> None:
    source = write(tmp_path / "a")
    shutil.copytree(INCLUDE, tmp_path / "a" / "include")
    assert build(
        source, tmp_path / "cache", include=tmp_path / "a" / "include", choice=choice
    ) == build(source, tmp_path / "cache", choice=choice)


def test_a_link_to_the_source_gives_the_same_bytes(tmp_path: Path) -> None:
    source = write(tmp_path / "a")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    cache = tmp_path / "cache"
    assert build(tmp_path / "b" / "pass.bpf.c", cache) == build(source, cache)


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"CPATH": "evil", "C_INCLUDE_PATH": "evil"}, id="include-path"),
        pytest.param({"SOURCE_DATE_EPOCH": "86400", "TZ": "Asia/Tokyo"}, id="time"),
        pytest.param({"LC_ALL": "de_DE.UTF-8", "HOME": "/nonexistent"}, id="locale-and-home"),
        pytest.param({"CCC_OVERRIDE_OPTIONS": "+-O0", "ZIG_LIB_DIR": "/nonexistent"}, id="options"),
    ],
)
def test_the_environment_does_not_change_the_bytes(
    tmp_path: Path, choice: CompilerChoice, variables: Mapping[str, str]
) -> None:
    source = write(tmp_path)
    evil = tmp_path / "evil" / "skep"
    evil.mkdir(parents=True)
    (evil / "maps.bpf.h").write_text("#error taken from the environment\n")
    (tmp_path / "evil" / "beside.bpf.h").write_text("#define VERDICT 1\n")
    changed = {
        **os.environ,
        **{k: str(tmp_path / v) if v == "evil" else v for k, v in variables.items()},
    }
    assert build(source, tmp_path / "c1", environment=changed, choice=choice) == build(
        source, tmp_path / "c2", choice=choice
    )


def test_another_source_gives_other_bytes_from_the_same_cache(tmp_path: Path) -> None:
    first = build(write(tmp_path), tmp_path / "cache")
    (tmp_path / "beside.bpf.h").write_text("#define VERDICT 1\n")
    assert build(tmp_path / "pass.bpf.c", tmp_path / "cache") != first


def test_macros_are_passed_on(tmp_path: Path) -> None:
    source = write(tmp_path)
    one, two = (
        build(source, tmp_path / "cache", defines={"VERDICT": verdict}) for verdict in ("1", "2")
    )
    assert one != two


def test_a_source_whose_name_looks_like_an_option_is_a_source(tmp_path: Path) -> None:
    source = write(tmp_path).rename(tmp_path / "-v.bpf.c")
    assert read_object(build(source, tmp_path / "cache")).programs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(SOURCE.replace("return", "retrun"), "retrun", id="syntax"),
        pytest.param('#include "nowhere.h"\n', "nowhere.h", id="missing-header"),
        pytest.param("int zero[__TIME__[0] ? 1 : 1];\n", "reproducible", id="time"),
        pytest.param("const char *date = __DATE__;\n", "reproducible", id="date"),
        pytest.param("#error " + "x" * 100_000 + "\n", "xxx", id="endless-message"),
    ],
)
def test_a_refused_source_says_why(
    tmp_path: Path, choice: CompilerChoice, text: str, expected: str
) -> None:
    with pytest.raises(CompileFailed) as caught:
        build(write(tmp_path, text), tmp_path / "cache", choice=choice)
    assert "pass.bpf.c" in caught.value.message
    assert expected in caught.value.detail
    assert len(caught.value.detail) <= 1 << 16


def test_a_missing_source_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match=r"nothing\.bpf\.c"):
        build(tmp_path / "nothing.bpf.c", tmp_path / "cache")


def test_a_directory_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing):
        build(tmp_path, tmp_path / "cache")


def test_a_missing_include_directory_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing, match="headers"):
        build(write(tmp_path), tmp_path / "cache", include=tmp_path / "headers")


def test_a_directory_that_would_end_a_prefix_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="="):
        build(write(tmp_path / "a=b"), tmp_path / "cache")


@pytest.mark.parametrize("name", ["", "a b", "1A", "A=1 -o/x", "-Wx", "ä"])
def test_a_macro_must_have_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        build(write(tmp_path), tmp_path / "cache", defines={name: "1"})


def pretended(tmp_path: Path, script: str) -> CompilerChoice:
    path = tmp_path / "pretended"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return CompilerChoice("clang", "14.0.0", (str(path),), ())


def test_a_compiler_that_is_gone_is_said_so(tmp_path: Path) -> None:
    gone = CompilerChoice("clang", "14.0.0", (str(tmp_path / "gone"),), ())
    with pytest.raises(CompilerMissing):
        build(write(tmp_path), tmp_path / "cache", choice=gone)


def test_a_compiler_that_writes_nothing_is_unsuitable(tmp_path: Path) -> None:
    with pytest.raises(CompilerUnsuitable):
        build(write(tmp_path), tmp_path / "cache", choice=pretended(tmp_path, "exit 0\n"))


def test_a_compiler_that_writes_no_object_is_unsuitable(tmp_path: Path) -> None:
    choice = pretended(tmp_path, 'for last; do :; done; echo no object > "$last"\n')
    with pytest.raises(CompilerUnsuitable):
        build(write(tmp_path), tmp_path / "cache", choice=choice)


def test_a_compiler_that_fails_silently_shows_its_exit_code(tmp_path: Path) -> None:
    with pytest.raises(CompileFailed, match="exit code 3"):
        build(write(tmp_path), tmp_path / "cache", choice=pretended(tmp_path, "exit 3\n"))


@pytest.mark.parametrize("words", ["No space left on device", "unable to write: NoSpaceLeft"])
def test_a_full_disk_is_not_the_fault_of_the_source(tmp_path: Path, words: str) -> None:
    choice = pretended(tmp_path, f"echo 'fatal error: {words}'; exit 1\n")
    with pytest.raises(CompilerStarved) as caught:
        build(write(tmp_path), tmp_path / "cache", choice=choice)
    assert words in caught.value.detail


def test_a_missing_temporary_directory_and_any_umask_do_not_matter(tmp_path: Path) -> None:
    expected = build(write(tmp_path), tmp_path / "cache")
    before = os.umask(0o777)
    try:
        found = build(
            tmp_path / "pass.bpf.c",
            tmp_path / "another",
            environment={**os.environ, "TMPDIR": "/nonexistent"},
        )
    finally:
        os.umask(before)
    assert found == expected


def hanging(tmp_path: Path) -> CompilerChoice:
    """A compiler that starts another process, writes its number into ``child`` and waits."""
    return pretended(tmp_path, f"sleep 60 & echo $! > {tmp_path}/child; wait\n")


def assert_child_ended(tmp_path: Path) -> None:
    child = int((tmp_path / "child").read_text())
    status = Path(f"/proc/{child}/stat")
    assert not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] in "ZX"


def test_a_compiler_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    with pytest.raises(CompilerTimeout):
        build(write(tmp_path), tmp_path / "cache", choice=hanging(tmp_path), timeout_seconds=0.5)
    assert_child_ended(tmp_path)


def test_an_interrupt_kept_back_while_the_compiler_starts_ends_it(tmp_path: Path) -> None:
    @contextmanager
    def interrupted() -> Iterator[None]:
        yield
        child = tmp_path / "child"
        deadline = time.monotonic() + 30
        while not (child.exists() and child.read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(
            write(tmp_path), tmp_path / "cache", choice=hanging(tmp_path), undisturbed=interrupted
        )
    assert_child_ended(tmp_path)


def test_nothing_is_left_in_the_cache_but_the_cache(tmp_path: Path) -> None:
    build(write(tmp_path), tmp_path / "cache")
    with pytest.raises(CompileFailed):
        build(write(tmp_path, "nonsense"), tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["zig"]
