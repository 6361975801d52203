"""Whatever is wrong, the error says what came and what to do, and nothing is half done."""

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from tests.builders.commands import Ran, Skep

OBJECTS = Path(__file__).parents[1] / "fixtures" / "objects"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="attaching programs needs root")


def _refused(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code, f"{ran.code}: {ran.out}\n{ran.err}"
    assert "Traceback" not in ran.err
    assert "this is a bug" not in ran.err
    for word in words:
        assert word in ran.err


def _object() -> bytes:
    return next(iter(sorted(OBJECTS.glob("*.o")))).read_bytes()


@pytest.mark.parametrize(
    ("data", "word"),
    [
        pytest.param(b"#!/bin/sh\n", "ELF", id="not-an-elf"),
        pytest.param(b"", "", id="empty"),
        pytest.param(_object()[:200], "", id="truncated"),
        pytest.param(_object()[:18] + b"\x3e\0" + _object()[20:], "machine", id="wrong-machine"),
        pytest.param(
            _object()[:60] + struct.pack("<H", 0xFEFF) + _object()[62:], "", id="section-count"
        ),
    ],
)
def test_what_is_no_ebpf_object_is_malformed(
    skep: Skep, tmp_path: Path, data: bytes, word: str
) -> None:
    path = tmp_path / "x.o"
    path.write_bytes(data)
    _refused(skep("inspect", path), 3, word)


def test_a_missing_file_is_not_found(skep: Skep) -> None:
    _refused(skep("inspect", "./nowhere.o"), 4, "nowhere.o")


def test_a_broken_skep_toml_tells_all_its_problems(skep: Skep, project: Path) -> None:
    path = project / "skep.toml"
    path.write_text(path.read_text().replace('"1.0.0"', '"one"').replace('"xdp"', '"warp"'))
    _refused(skep("build", project), 3, "package.version", "hook")


def test_a_program_that_is_not_in_the_object_is_refused(skep: Skep, project: Path) -> None:
    path = project / "skep.toml"
    path.write_text(path.read_text().replace('name = "port_filter"', 'name = "no_such"'))
    _refused(skep("build", project), 3, "no_such", "port_filter")


def test_an_object_without_kernel_licence_is_refused(skep: Skep, project: Path) -> None:
    path = project / "port-filter.bpf.c"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "LICENSE(" not in line))
    _refused(skep("build", project), 3, "declares no kernel licence", 'SEC("license")')


def test_the_size_of_a_map_that_is_not_there_is_refused(skep: Skep, project: Path) -> None:
    path = project / "skep.toml"
    path.write_text(path.read_text() + "\n[maps.pf_prots]\nmax_entries = 8\n")
    _refused(skep("build", project), 3, "maps.pf_prots", "maps that can be sized: ")


def test_source_that_does_not_compile_shows_the_compilers_words(skep: Skep, project: Path) -> None:
    (project / "port-filter.bpf.c").write_text("int broken(void) { return nothing; }\n")
    _refused(skep("build", project), 3, "nothing")


def test_the_first_error_of_many_messages_is_what_is_shown(skep: Skep, project: Path) -> None:
    (project / "my_error.h").write_text("static int unused;\n")
    warnings = "".join(f"int w{n}(void) {{ int error_{n}; return 0; }}\n" for n in range(30))
    broken = "int broken(void) { return nothing; }\nint more(void) { return nothing_else; }\n"
    source = '#include "my_error.h"\n' + warnings + broken
    (project / "port-filter.bpf.c").write_text(source)
    ran = skep("build", project)
    _refused(ran, 3, "lines more; --verbose shows all")
    # On a slow machine progress is told first.
    first = ran.err[ran.err.index("error: ") :].splitlines()
    assert "port-filter.bpf.c:32:27: error: use of undeclared identifier 'nothing'" in first[0]
    assert first[1].startswith("  port-filter.bpf.c:32:27: error:")
    assert "warning:" not in "".join(first[:8])


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("--on", "warp:eth0"), 2, "warp"),
        (("--on", "xdp"), 2, "xdp:eth0"),
        (("--on", "xdp:nowhere0"), 4, "nowhere0"),
        (("--on", "xdp:lo", "--set", "ports=http"), 2, "ports"),
        (("--on", "xdp:lo", "--set", "colour=red"), 2, "colour"),
        (("--on", "xdp:lo", "--set", "ports"), 2, "NAME=VALUE"),
        (("--on", "xdp:lo", "--before", "nobody"), 4, "nobody"),
    ],
)
@needs_root
def test_a_wrong_install_changes_nothing(
    skep: Skep, arguments: tuple[str, ...], code: int, word: str
) -> None:
    _refused(skep("install", "skep/port-filter", *arguments), code, word)
    assert skep.ok("list", "--json").document["deployments"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("nonsense",), ("nonsense",), id="command"),
        pytest.param(("list", "--nonsense"), ("--nonsense",), id="option"),
        pytest.param(("list", "extra"), ("extra",), id="argument-too-many"),
        pytest.param(("diff", "a.o"), ("B",), id="argument-missing"),
        pytest.param(("install", "skep/port-filter"), ("--on",), id="option-missing"),
        pytest.param(("search", "--limit", "0"), ("--limit", "1<=x<=100"), id="out-of-range"),
        pytest.param(("move", "a", "--order", "x"), ("--order", "'x'"), id="not-a-number"),
        pytest.param(
            ("install", "skep/port-filter", "--on", "xdp:lo", "--on", "xdp:eth0"),
            ("--on was given twice",),
            id="option-twice",
        ),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(
    tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    ran = Skep(tmp_path / "root")(*arguments)
    _refused(ran, 2, "error: ", "hint:  ", "skep ", *words)
    assert ran.out == ""
    error = Skep(tmp_path / "root")(*arguments, "--json").document["error"]
    assert isinstance(error, dict)
    assert error["family"] == "usage"
    assert all(word in error["message"] for word in words)
    assert not (tmp_path / "root").exists()


def test_a_marketplace_that_is_down_is_unavailable(tmp_path: Path) -> None:
    nobody = Skep(tmp_path / "root", "http://127.0.0.1:9")
    _refused(nobody("search", "limits"), 9, "127.0.0.1:9")
    _refused(nobody("pull", "skep/port-filter"), 9, "127.0.0.1:9")


def test_a_package_nobody_published_is_not_found(skep: Skep) -> None:
    _refused(skep("pull", "skep/nothing:1.0.0"), 4, "skep/nothing")


@pytest.fixture
def operator(skep: Skep, tmp_path: Path) -> Skep:
    """Another machine that pulled port-filter and trusts its author."""
    other = Skep(tmp_path / "other", skep.url)
    other.ok("keys", "trust", "skep", skep.root / "keys" / "author.pub")
    other.ok("pull", "skep/port-filter:1.0.0")
    return other


def _blob_with(operator: Skep, words: bytes) -> Path:
    for path in (operator.root / "content" / "blobs" / "sha256").iterdir():
        if words in path.read_bytes():
            return path
    raise AssertionError(words)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(b"\x7fELF", id="object"),
        pytest.param(b"[package]", id="metadata"),
        pytest.param(b"dsseEnvelope", id="bundle"),
        pytest.param(b"application/vnd.skep.package.v1+json", id="manifest"),
    ],
)
def test_a_changed_byte_anywhere_is_not_trusted(operator: Skep, words: bytes) -> None:
    path = _blob_with(operator, words)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    ran = operator("verify", "skep/port-filter:1.0.0")
    assert ran.code in {3, 6}, ran.err
    if os.geteuid() == 0:
        assert operator("install", "skep/port-filter:1.0.0", "--on", "xdp:lo").code in {3, 6}
        assert operator.ok("list", "--json").document["deployments"] == []


def test_without_a_trusted_key_nothing_runs(skep: Skep, tmp_path: Path) -> None:
    stranger = Skep(tmp_path / "stranger", skep.url)
    stranger.ok("pull", "skep/port-filter:1.0.0")
    _refused(stranger("verify", "skep/port-filter:1.0.0"), 6, "skep keys trust")


def test_another_key_is_not_the_publishers(skep: Skep, tmp_path: Path) -> None:
    stranger = Skep(tmp_path / "stranger", skep.url)
    stranger.ok("keys", "create", "other")
    stranger.ok("keys", "trust", "skep", stranger.root / "keys" / "other.pub")
    stranger.ok("pull", "skep/port-filter:1.0.0")
    _refused(stranger("verify", "skep/port-filter:1.0.0"), 6)


def test_an_unsigned_package_is_not_published(skep: Skep, project: Path) -> None:
    text = (project / "skep.toml").read_text()
    (project / "skep.toml").write_text(text.replace('"1.0.0"', '"1.0.1"'))
    skep.ok("build", project)
    _refused(skep("publish", project), 6)
    assert skep("show", "skep/port-filter:1.0.1").code == 4


def test_a_version_is_published_once(skep: Skep, project: Path) -> None:
    (project / "README.md").write_text("Something else.\n")
    skep.ok("build", project)
    skep.ok("sign", project, "--key", "author")
    _refused(skep("publish", project), 5, "1.0.0")


@needs_root
@pytest.mark.kernel
def test_a_foreign_program_on_the_interface_is_left_alone(skep: Skep, interface: str) -> None:
    from tests.builders.attaching import attach_xdp, xdp_program_id
    from tests.builders.kernel_programs import program as plan_of
    from tests.builders.kernel_programs import returning

    from skep.kernel.interfaces import ifindex
    from skep.kernel.loading import load_program

    with (
        load_program(plan_of("foreign", *returning(2)), []) as program,
        attach_xdp(program, ifindex(interface)),
    ):
        ran = skep("install", "skep/port-filter", "--on", f"xdp:{interface}")
        _refused(ran, 5, interface)
        assert xdp_program_id(ifindex(interface)) == program.id
    assert skep.ok("list", "--json").document["deployments"] == []


def test_a_key_is_never_overwritten(skep: Skep) -> None:
    before = (skep.root / "keys" / "author.key").read_bytes()
    _refused(skep("keys", "create", "author"), 5, "author")
    assert (skep.root / "keys" / "author.key").read_bytes() == before


def test_a_key_others_may_read_does_not_sign(skep: Skep, project: Path) -> None:
    skep.ok("build", project)
    skep.ok("keys", "create", "open")
    (skep.root / "keys" / "open.key").chmod(0o644)
    _refused(skep("sign", project, "--key", "open"), 2, "chmod 600")


def test_a_closed_pipe_is_no_error(skep: Skep) -> None:
    shell = shutil.which("sh")
    assert shell
    finished = subprocess.run(
        [shell, "-c", "$SKEP search --json | head -c 1"],
        env=skep.variables | {"SKEP": f"{sys.executable} -m skep"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_completions(tmp_path: Path, shell: str) -> None:
    def answer(instruction: str) -> str:
        variables = {"COMP_WORDS": "skep ins", "COMP_CWORD": "1" if shell != "fish" else "ins"}
        return subprocess.run(
            [sys.executable, "-m", "skep"],
            env=Skep(tmp_path).variables | {"_SKEP_COMPLETE": f"{shell}_{instruction}"} | variables,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert f"_SKEP_COMPLETE={shell}_complete" in answer("source")
    completions = answer("complete")
    assert "inspect" in completions
    assert "install" in completions
    assert "publish" not in completions
