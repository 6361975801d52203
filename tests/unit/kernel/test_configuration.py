"""The kernel's configuration, version and symbols, from files of every kind."""

import gzip
import os
import platform
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.errors import Malformed
from skep.kernel.configuration import (
    kernel_configuration,
    kernel_symbols,
    kernel_version_code,
    parse_configuration,
    parse_symbols,
    version_code,
)

TEXT = b"""#
# Linux/x86 6.18.44 Kernel Configuration
#
CONFIG_HZ=250
CONFIG_BPF=y
CONFIG_NET=m
CONFIG_DEFAULT_HOSTNAME="(none)"
CONFIG_EQUAL="a=b"
CONFIG_EMPTY=
# CONFIG_OFF is not set
"""
OPTIONS = {
    "CONFIG_HZ": "250",
    "CONFIG_BPF": "y",
    "CONFIG_NET": "m",
    "CONFIG_DEFAULT_HOSTNAME": '"(none)"',
    "CONFIG_EQUAL": '"a=b"',
    "CONFIG_EMPTY": "",
}


def compressed(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data))
    return path


def test_options_that_are_on_are_read_as_written(tmp_path: Path) -> None:
    assert kernel_configuration(compressed(tmp_path / "config.gz", TEXT)) == OPTIONS


def test_distributions_have_it_beside_the_kernel(tmp_path: Path) -> None:
    (tmp_path / f"config-{platform.release()}").write_bytes(TEXT)
    assert kernel_configuration(tmp_path / "none", tmp_path) == OPTIONS


def test_a_kernel_that_does_not_tell_has_none(tmp_path: Path) -> None:
    assert kernel_configuration(tmp_path / "none", tmp_path) is None
    assert kernel_configuration(tmp_path / "none", tmp_path / "nothing") is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(TEXT, id="not-compressed"),
        pytest.param(gzip.compress(TEXT)[:-20], id="cut"),
        pytest.param(gzip.compress(TEXT)[:9] + b"\xff" * 40, id="no-deflate"),
        pytest.param(gzip.compress(TEXT)[:-8] + bytes(8), id="wrong-checksum"),
    ],
)
def test_a_damaged_file_is_an_error_or_nothing(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "config.gz"
    path.write_bytes(data)
    if not data:
        assert kernel_configuration(path) == {}
        return
    with pytest.raises(Malformed, match="could not read"):
        kernel_configuration(path)


def test_a_directory_in_its_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Malformed):
        kernel_configuration(tmp_path)


def test_a_file_that_unpacks_without_end_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "config.gz"
    packer = zlib.compressobj(9, wbits=31)
    block = bytes(1 << 20)
    path.write_bytes(b"".join(packer.compress(block) for _ in range(64)) + packer.flush())
    assert path.stat().st_size < 1 << 20
    with pytest.raises(Malformed, match="at most 8388608 bytes"):
        kernel_configuration(path)


def test_an_enormous_plain_file_is_not_read(tmp_path: Path) -> None:
    plain = tmp_path / f"config-{platform.release()}"
    plain.touch()
    os.truncate(plain, 1 << 40)
    with pytest.raises(Malformed, match="at most"):
        kernel_configuration(tmp_path / "none", tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        b"CONFIG_X",
        b"=y",
        b" CONFIG_X=y",
        b"config_X=y",
        b"CONFIG_X Y=1",
        b"CONFIG_\xff=y",
        b"# CONFIG_X=y",
        b"CONFIG_=y",
    ],
)
def test_other_lines_are_no_options(line: bytes) -> None:
    assert parse_configuration(line + b"\n") == {}


def test_a_line_without_end_is_read_in_no_time() -> None:
    assert parse_configuration(b"CONFIG_" + b"A" * (4 << 20)) == {}
    (value,) = parse_configuration(b"CONFIG_A=" + b"=" * (4 << 20)).values()
    assert len(value) == 4 << 20


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_no_configuration_breaks_the_reader(data: bytes) -> None:
    for name, value in parse_configuration(data).items():
        assert name.startswith("CONFIG_")
        assert "\n" not in value


# Versions


@pytest.mark.parametrize(
    ("release", "build", "code"),
    [
        ("6.18.44", "", 0x06122C),
        ("6.18", "", 0x061200),
        ("6.18.0-rc3+", "#1 SMP", 0x061200),
        ("5.15.300-custom", "", 0x050FFF),  # the kernel cuts it, too
        ("6.1.0-37-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22)", 0x06018C),
    ],
)
def test_a_release_becomes_a_code(release: str, build: str, code: int) -> None:
    assert version_code(release, build) == code


@pytest.mark.parametrize("release", ["", "linux", "6", "6.", ".1", "6.x", "\u0661.\u0662"])
def test_other_texts_are_no_release(release: str) -> None:
    with pytest.raises(Malformed, match="kernel release"):
        version_code(release)


def test_the_running_kernel_has_a_version() -> None:
    assert kernel_version_code() >= 4 << 16


# Symbols


SYMBOLS = """ffffffff81000000 T _text
ffffffff81000100 t twice
ffffffff81000200 t twice
ffffffff81000300 t same
ffffffff81000300 t same
0000000000000000 T hidden
zzz T broken
ffffffff81000400 T
ffffffffc0000000 t in_module [module]
"""


def test_addresses_are_told_where_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "kallsyms"
    path.write_text(SYMBOLS)
    names = {"_text", "twice", "same", "hidden", "broken", "in_module", "nothing"}
    assert kernel_symbols(names, path) == {
        "_text": 0xFFFFFFFF81000000,
        "same": 0xFFFFFFFF81000300,
        "in_module": 0xFFFFFFFFC0000000,
    }
    assert kernel_symbols(names, tmp_path / "none") == {}


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(max_size=60), max_size=5))
def test_no_symbols_break_the_reader(lines: list[str]) -> None:
    assert set(parse_symbols(lines, {"a"})) <= {"a"}
