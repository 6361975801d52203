"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.builders.pages import differs, steps_of
from tests.house.tree import ROOT

_PAGE = ROOT / "CONTRIBUTING.md"
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", "dist", ".*_cache", ".hypothesis", ".coverage*"
)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a recipe.

    Attributes:
        kind: of text, as the fence names it.
        path: of the file it is about; empty for commands.
        text: without the path.
    """

    kind: str
    path: str
    text: str


def _recipe(title: str) -> str:
    found = re.search(
        rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", _PAGE.read_text("utf-8"), re.M | re.S
    )
    assert found, title
    return found[1]


def _blocks(recipe: str) -> Iterator[Block]:
    for kind, text in re.findall(r"^```(\w+)\n(.*?)^```$", recipe, re.MULTILINE | re.DOTALL):
        first, _, rest = text.partition("\n")
        path = first.removeprefix("# ") if kind != "console" else ""
        yield Block(kind, path, rest if path else text)


def _changed(before: str, difference: str) -> str:
    """A text with the change; the lines around it must be there, once."""
    lines = difference.splitlines()
    old = "\n".join(line[1:] for line in lines if line[:1] != "+")
    new = "\n".join(line[1:] for line in lines if line[:1] != "-")
    assert before.count(f"{old}\n") == 1, f"not there once:\n{old}"
    return before.replace(f"{old}\n", f"{new}\n")


def _follow(recipe: str, copy: Path) -> Iterator[str]:
    """Do what a recipe says; gives the files it wrote."""
    for block in _blocks(recipe):
        path = copy / block.path
        if block.kind == "diff":
            path.write_text(_changed(path.read_text("utf-8"), block.text), encoding="utf-8")
        elif block.path:
            assert path.parent.is_dir(), path
            before = path.read_text("utf-8") if path.exists() else ""
            path.write_text(before + block.text, encoding="utf-8")
        else:
            for step in steps_of(f"```console\n{block.text}```\n"):
                came = _run(copy, "bash", "-c", step.command)
                assert not step.shown or not differs(step.shown, came.splitlines()), came
        if block.path.endswith(".py"):
            yield block.path


def _run(copy: Path, *command: str) -> str:
    finished = subprocess.run(
        command,
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, f"{command}: {finished.stdout}\n{finished.stderr}"
    return finished.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project, with this environment instead of one of its own."""
    copy = Path(shutil.copytree(ROOT, tmp_path / "project", ignore=_LEFT_OUT))
    dev = copy / "dev"
    text = dev.read_text("utf-8")
    assert text.count("\nsetup() {\n") == 1
    dev.write_text(text.replace("\nsetup() {\n", "\nsetup() {\n  return\n"), encoding="utf-8")
    binaries = copy / ".venv" / "bin"
    binaries.mkdir(parents=True)
    for path in Path(sys.executable).parent.iterdir():
        script = f'#!/bin/sh\nexec "{path}" "$@"\n'
        (binaries / path.name).write_text(script)
        (binaries / path.name).chmod(0o755)
    return copy


_TITLES = re.findall(r"^## (Add .+)$", _PAGE.read_text("utf-8"), re.MULTILINE)


def test_there_is_a_recipe_for_each_thing_that_is_added_often() -> None:
    assert _TITLES == [
        "Add a command",
        "Add a rule of the review",
        "Add a permission",
        "Add a hook",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("title", _TITLES)
def test_a_recipe_works_as_written(title: str, copy: Path) -> None:
    written = sorted(set(_follow(_recipe(title), copy)))
    _run(copy, ".venv/bin/ruff", "check", *written)
    _run(copy, ".venv/bin/ruff", "format", "--check", *written)
    _run(copy, ".venv/bin/lint-imports", "--no-cache")


def test_a_change_is_made_where_its_lines_are_and_only_there() -> None:
    assert _changed("a\nb\nc\n", " a\n+x\n b\n") == "a\nx\nb\nc\n"
    assert _changed("a\nb\nc\n", "-b\n+x\n") == "a\nx\nc\n"
    with pytest.raises(AssertionError, match="not there once"):
        _changed("a\nb\na\n", " a\n+x\n")
    with pytest.raises(AssertionError, match="not there once"):
        _changed("a\n", "-b\n")


def test_each_command_of_the_page_is_one_of_dev() -> None:
    verbs = set(re.findall(r"`?\./dev ([a-z]+)", _PAGE.read_text("utf-8")))
    known = (ROOT / "dev").read_text("utf-8")
    assert {
        verb for verb in verbs if not re.search(rf"^  (?:\S+ \| )*{verb}\b.*\)", known, re.M)
    } == set()
