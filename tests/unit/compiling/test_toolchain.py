"""Finding a compiler by what a package asks for."""

import os
import re
import stat
from pathlib import Path

import pytest
from tests.builders.compiled import INCLUDE

from skep.bytecode.isa.helpers import HELPERS
from skep.compiling.errors import CompilerMissing, CompilerUnsuitable
from skep.compiling.toolchain import find_compiler
from skep.errors import UsageError


def clang(directory: Path, answer: str, name: str = "clang") -> dict[str, str]:
    """A ``PATH`` with a clang that says ``answer``."""
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{directory}:/usr/bin:/bin"}


def test_zig_comes_first_because_it_can_be_pinned(tmp_path: Path) -> None:
    found = find_compiler(clang(tmp_path, "clang version 18.1.3"))
    assert found.kind == "zig"
    assert str(found).startswith("zig==")
    assert all((found.uapi[1] / name).is_file() for name in ("linux/bpf.h", "linux/if_ether.h"))


@pytest.mark.parametrize("wanted", ["zig", "zig==0.17.1", "zig>=0.10", "zig == 0.17"])
def test_zig_by_version(wanted: str) -> None:
    assert find_compiler({}, wanted).kind == "zig"


@pytest.mark.parametrize("wanted", ["zig==0.1.0", "zig>=99", "clang==3", "clang"])
def test_what_is_not_there_is_missing_with_a_hint(wanted: str) -> None:
    with pytest.raises(CompilerMissing) as caught:
        find_compiler({"PATH": "/nonexistent"}, wanted)
    assert caught.value.hint


@pytest.mark.parametrize(
    "answer",
    ["Debian clang version 14.0.6", "clang version 23.0.0git (x)", "Apple clang version 15.0.0"],
)
def test_a_system_clang_is_asked_for_its_version(tmp_path: Path, answer: str) -> None:
    found = find_compiler(clang(tmp_path, answer), "clang>=14")
    assert (found.kind, found.command) == ("clang", (str(tmp_path / "clang"),))
    assert found.version in answer


def test_a_clang_with_its_version_in_its_name_is_found(tmp_path: Path) -> None:
    found = find_compiler(
        {"PATH": clang(tmp_path, "clang version 16.0.6", "clang-16")["PATH"].partition(":")[0]},
        "clang",
    )
    assert found.command == (str(tmp_path / "clang-16"),)


@pytest.mark.parametrize("answer", ["clang version 13.0.1", "gcc 12", ""])
def test_an_old_or_strange_clang_is_unsuitable(tmp_path: Path, answer: str) -> None:
    with pytest.raises(CompilerUnsuitable):
        find_compiler(clang(tmp_path, answer), "clang")


def test_another_version_of_clang_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CompilerMissing, match=r"clang==14\.0\.6"):
        find_compiler(clang(tmp_path, "clang version 14.0.6"), "clang==15")


@pytest.mark.parametrize(
    "wanted",
    ["gcc", "zig=0.17", "zig==", "zig==a", "zig==1.2.3.4", "clang; rm", "zig==1\n", "x" * 999],
)
def test_what_cannot_be_read_is_a_usage_error(wanted: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_compiler(os.environ, wanted)
    assert len(caught.value.message) < 200


def test_the_headers_number_helpers_as_the_kernel_does() -> None:
    text = (INCLUDE / "bpf" / "bpf_helper_defs.h").read_text()
    declared = {
        match[1]: (int(match[2]), match[3] is not None)
        for match in re.finditer(
            r"\(\*const (\w+)\)\([^;]*= \(void \*\)(\d+);( /\* GPL \*/)?", text
        )
    }
    assert declared == {facts.name: (number, facts.gpl_only) for number, facts in HELPERS.items()}
