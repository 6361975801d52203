"""Which licence holds where, whole texts of all of them, and both in what is shipped."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
from tests.house.tree import ROOT

_TEXTS = ROOT / "LICENSES"
_EBPF = "GPL-2.0-only OR BSD-2-Clause"
_SPDX = re.compile("SPDX-License" + r"-Identifier: (.+?)(?: \*/)?$")
# Of the texts as their authors publish them.
_DIGESTS = {
    "Apache-2.0": "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30",
    "GPL-2.0-only": "8177f97513213526df2cf6184d8ff986c675afb514d4e68a404010521b880643",
}


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a clone: no list of the project's files")
    return [name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]


def _by_area(name: str) -> str:
    """What ``REUSE.toml`` says of a file: its last table that matches."""
    tables = tomllib.loads((ROOT / "REUSE.toml").read_text("utf-8"))["annotations"]
    found = ""
    for table in tables:
        paths = [table["path"]] if isinstance(table["path"], str) else table["path"]
        if any(_pattern(path).fullmatch(name) for path in paths):
            found = table["SPDX-License-Identifier"]
    return found


def _pattern(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", glob)
    return re.compile("".join({"**": ".*", "*": "[^/]*"}.get(p, re.escape(p)) for p in parts))


def _said_by_itself(name: str) -> str:
    """The licence in the first line of a file, if it has one."""
    with (ROOT / name).open("rb") as file:
        first = file.readline(200).decode("utf-8", "replace").rstrip("\n")
    found = _SPDX.search(first)
    return found[1] if found else ""


def test_each_file_has_the_licence_of_its_kind() -> None:
    """C and what is compiled from it: GPL or BSD; everything else: Apache-2.0."""
    wrong = []
    for name in _tracked():
        is_ebpf = Path(name).suffix in {".c", ".h", ".o"} or name.endswith(".h.xz")
        if (_said_by_itself(name) or _by_area(name)) != (_EBPF if is_ebpf else "Apache-2.0"):
            wrong.append(name)
    assert wrong == []


def test_each_c_source_says_its_licence_itself() -> None:
    sources = [name for name in _tracked() if Path(name).suffix in {".c", ".h"}]
    assert len(sources) > 100
    assert [name for name in sources if _said_by_itself(name) != _EBPF] == []


def test_each_licence_named_has_its_text_and_no_other_has() -> None:
    named = {_said_by_itself(name) or _by_area(name) for name in _tracked()}
    words = {word for each in named for word in re.findall(r"[\w.-]+", each)} - {"OR", "AND"}
    assert {path.stem for path in _TEXTS.iterdir()} == words


@pytest.mark.parametrize("licence", _DIGESTS)
def test_the_text_is_whole(licence: str) -> None:
    assert sha256((_TEXTS / f"{licence}.txt").read_bytes()).hexdigest() == _DIGESTS[licence]


def test_the_short_text_is_whole() -> None:
    text = " ".join((_TEXTS / "BSD-2-Clause.txt").read_text("utf-8").split())
    assert text.startswith("Copyright (c) The Skep authors Redistribution and use in source")
    assert text.endswith("EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.")
    assert len(re.findall(r" \d\. ", text)) == 2


def test_the_licence_at_the_root_is_that_of_most_files() -> None:
    assert (ROOT / "LICENSE").read_bytes() == (_TEXTS / "Apache-2.0.txt").read_bytes()


def test_what_is_shipped_holds_the_texts_and_names_both_licences(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    texts = {"LICENSE", *(f"LICENSES/{path.name}" for path in _TEXTS.iterdir())}
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (about,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(about).decode()
    assert {name.partition("/licenses/")[2] for name in names if "/licenses/" in name} == texts
    assert f"\nLicense-Expression: Apache-2.0 AND ({_EBPF})\n" in metadata
    (sources,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sources) as archive:
        there = {name.partition("/")[2] for name in archive.getnames()}
    assert {*texts, "REUSE.toml"} <= there
