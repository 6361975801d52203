"""The project's own files, as the house tests look at them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src" / "skep"
_SKIPPED = {".git", ".venv", "__pycache__", "build", "dist"}


def python_files(*folders: Path) -> Iterator[Path]:
    """Every Python file below ``folders``."""
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            if not _SKIPPED.intersection(path.parts):
                yield path


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(text_of(path), filename=str(path))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a file, walked through once for all rules."""
    return tuple(ast.walk(tree_of(path)))


def room_of(path: Path, sources: Path = SOURCES) -> str:
    """The room a source file is in; files of the ground are rooms of their own."""
    return path.relative_to(sources).parts[0].removesuffix(".py")
