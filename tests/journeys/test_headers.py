"""An author takes an ordinary source, and types of a kernel for it."""

from pathlib import Path

import pytest
from tests.builders.commands import Skep
from tests.builders.kernels import moved_kernel

from skep.kernel.kernel_types import VMLINUX

TOML = """
[package]
name = "skep/ordinary"
version = "1.0.0"
summary = "An ordinary source"
licence = "GPL-2.0-only"
[build]
sources = ["src/ordinary.bpf.c"]
[[program]]
name = "ordinary"
hook = "xdp"
"""
SOURCE = """
#include <linux/bpf.h>
#include <linux/if.h>
#include <linux/icmp.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <string.h>
#include <errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
SEC("xdp") int ordinary(struct xdp_md *ctx) { return bpf_htons(1) ? XDP_PASS : XDP_DROP; }
char _license[] SEC("license") = "GPL";
"""
NEEDS_TYPES = """
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
SEC("xdp") int ordinary(struct xdp_md *ctx) { return XDP_PASS; }
char _license[] SEC("license") = "GPL";
"""


@pytest.fixture
def author(tmp_path: Path) -> Skep:
    return Skep(tmp_path / "root")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    directory = tmp_path / "package"
    (directory / "src").mkdir(parents=True)
    (directory / "skep.toml").write_text(TOML)
    (directory / "src" / "ordinary.bpf.c").write_text(SOURCE)
    return directory


def test_an_ordinary_source_builds(author: Skep, package: Path) -> None:
    assert "built skep/ordinary:1.0.0" in author.ok("build", package).out


def test_a_source_that_asks_for_vmlinux_h_gets_the_one_that_is_shipped(
    author: Skep, package: Path
) -> None:
    (package / "src" / "ordinary.bpf.c").write_text(NEEDS_TYPES)
    author.ok("build", package)
    assert not list(package.rglob("vmlinux.h"))


def test_paths_in_messages_begin_at_the_package(author: Skep, package: Path) -> None:
    (package / "src" / "ordinary.bpf.c").write_text(SOURCE + "int broken = nothing;\n")
    ran = author("build", package)
    assert ran.code == 3
    assert "error: ordinary.bpf.c does not compile: src/ordinary.bpf.c:13:14: error:" in ran.err


def test_a_header_of_a_kernel_is_the_same_every_time(author: Skep, tmp_path: Path) -> None:
    kernel, first, second = tmp_path / "kernel.btf", tmp_path / "a.h", tmp_path / "b.h"
    kernel.write_bytes(moved_kernel())
    ran = author.ok("headers", "vmlinux", "--kernel", kernel, "-o", first, "--json")
    author.ok("headers", "vmlinux", "--kernel", kernel, "-o", second)
    assert first.read_bytes() == second.read_bytes()
    assert b"struct task_struct {" in first.read_bytes()
    assert str(tmp_path) not in first.read_text()
    assert ran.document["size_bytes"] == first.stat().st_size


def test_only_what_a_source_uses_is_written(author: Skep, package: Path, tmp_path: Path) -> None:
    kernel, to = tmp_path / "kernel.btf", package / "src" / "vmlinux.h"
    kernel.write_bytes(moved_kernel())
    source = package / "src" / "ordinary.bpf.c"
    source.write_text('#include "vmlinux.h"\nint f(struct nothing_the_kernel_has *p);\n')
    author.ok("headers", "vmlinux", "--kernel", kernel, "-o", to, "--used-by", source)
    assert "task_struct" not in to.read_text()
    source.write_text('#include "vmlinux.h"\nint f(struct task_struct *p);\n')
    author.ok("headers", "vmlinux", "--kernel", kernel, "-o", to, "--used-by", source)
    assert "struct task_struct {" in to.read_text()


def test_a_file_that_is_not_ours_is_not_overwritten(author: Skep, tmp_path: Path) -> None:
    kernel, to = tmp_path / "kernel.btf", tmp_path / "vmlinux.h"
    kernel.write_bytes(moved_kernel())
    to.write_text("mine\n")
    ran = author("headers", "vmlinux", "--kernel", kernel, "-o", to)
    assert ran.code == 5
    assert "--output" in ran.err
    assert to.read_text() == "mine\n"


@pytest.mark.parametrize(
    ("content", "code"), [(b"", 3), (b"\x9f\xeb", 3), (b"\x7fELF", 3), (None, 4)]
)
def test_what_is_no_kernel_is_refused(
    author: Skep, tmp_path: Path, content: bytes | None, code: int
) -> None:
    kernel = tmp_path / "kernel.btf"
    if content is not None:
        kernel.write_bytes(content)
    ran = author("headers", "vmlinux", "--kernel", kernel, "-o", tmp_path / "x.h")
    assert ran.code == code
    assert "bug" not in ran.err
    assert not (tmp_path / "x.h").exists()


@pytest.mark.skipif(not VMLINUX.exists(), reason="needs the types of the running kernel")
def test_without_a_kernel_it_is_the_running_one(
    author: Skep, package: Path, tmp_path: Path
) -> None:
    source, to = package / "src" / "ordinary.bpf.c", package / "src" / "vmlinux.h"
    source.write_text(NEEDS_TYPES)
    author.ok("headers", "vmlinux", "-o", to, "--used-by", source)
    assert to.stat().st_size < 200_000
    author.ok("build", package)
