"""Rules about the project as a whole: pins, documentation, names that must not leak."""

import ast
import os
import re
from functools import cache
from pathlib import Path

import pytest
from tests.house.tree import ROOT, SOURCES, python_files, tree_of

_DOCUMENT = ROOT / "docs" / "architecture.md"


@cache
def _committed_texts() -> list[Path]:
    suffixes = {".py", ".md", ".toml", ".c", ".h", ".txt", ".json", ".cfg", ""}
    left_out = {".git", ".venv", ".hypothesis", "__pycache__", "dist"}
    found = []
    for folder, below, names in os.walk(ROOT):
        below[:] = [name for name in below if name not in left_out and not name.endswith("_cache")]
        found += [
            path
            for path in (Path(folder, name) for name in names)
            if path.suffix in suffixes
            and not path.name.startswith(".coverage")
            and path.name not in left_out
            and path.is_file()
        ]
    return found


def test_dependencies_are_pinned_with_hashes_and_without_addresses() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    pins = re.findall(r"^[a-z0-9.-]+==", text, re.MULTILINE | re.IGNORECASE)
    assert len(pins) > 20
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in block, block[:80]


def test_the_folder_list_of_the_architecture_is_what_is_there() -> None:
    """Every room under ``src/skep`` has a line in the picture, and the other way round."""
    listed = set(re.findall(r"^├── ([a-z_./]+)", _DOCUMENT.read_text("utf-8"), re.M))
    rooms = {
        f"{path.relative_to(SOURCES)}/"
        for path in SOURCES.rglob("*")
        if path.is_dir() and path.name != "__pycache__" and (path / "__init__.py").exists()
    }
    ground = {path.name for path in SOURCES.glob("*.py") if path.name != "__init__.py"}
    rooms -= {"./"}
    assert listed == rooms | ground


def test_no_arrow_of_the_architecture_runs_back_up() -> None:
    block = _DOCUMENT.read_text("utf-8").partition("room         imports\n")[2].partition("```")[0]
    arrows = {line.split("→")[0].strip(): line.split("→")[1].split() for line in block.splitlines()}
    floors = [*arrows]
    assert floors[0] == "cli"
    for room, imported in arrows.items():
        above = {*floors[: floors.index(room) + 1]}
        assert not above.intersection(imported), room


def test_every_front_door_named_in_the_flow_exists() -> None:
    text = _DOCUMENT.read_text(encoding="utf-8")
    doors = re.findall(r"`(skep(?:\.[a-z_]+)+)\.([a-z_]+)`", text)
    assert len(doors) >= 10
    for module, name in doors:
        path = SOURCES.parent / (module.replace(".", "/") + ".py")
        assert path.exists(), module
        assert re.search(rf"^\s*(?:def|class) {name}\b", path.read_text("utf-8"), re.M), name


@cache
def _text(path: Path) -> str:
    return path.read_text("utf-8", "replace")


@pytest.mark.parametrize(
    "word", ["/wo" + "rk/", "bash" + "_jobs", ".lib" + "rary/", "pypi." + "org"]
)
def test_nothing_of_a_developer_machine_is_mentioned(word: str) -> None:
    hits = [path for path in _committed_texts() if word in _text(path)]
    assert hits == []


def test_every_bundled_program_has_its_parts() -> None:
    folders = [path for path in (ROOT / "bpf" / "programs").iterdir() if path.is_dir()]
    assert len(folders) >= 2
    for folder in folders:
        name = folder.name.replace("-", "_")
        for part in (f"{folder.name}.bpf.c", "skep.toml", "README.md", f"test_{name}.py"):
            assert (folder / part).exists(), folder / part


def test_every_unit_test_mirrors_a_source() -> None:
    for path in python_files(ROOT / "tests" / "unit"):
        if path.name.startswith("test_"):
            folder = SOURCES / path.parent.relative_to(ROOT / "tests" / "unit")
            assert folder.is_dir(), f"{path} mirrors no folder of src/skep"


def test_a_class_has_its_name_alone() -> None:
    """Two classes of one name are two meanings: whoever reads an import must look where from."""
    homes: dict[str, list[str]] = {}
    for path in python_files(SOURCES):
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(str(path.relative_to(SOURCES)))
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def _anchors(page: Path) -> set[str]:
    """What can follow ``#`` in a link to a page."""
    text = re.sub("```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = []
    for page in (path for path in _committed_texts() if path.suffix == ".md"):
        text = re.sub("```.*?```|`[^`]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            if "://" in link:
                continue
            if not target.exists() or (anchor and anchor not in _anchors(target)):
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert broken == []
