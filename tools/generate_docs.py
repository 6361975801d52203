"""Fills docs/architecture.md with the folders, what they say of themselves, and their imports.

python tools/generate_docs.py [--check]
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src" / "skep"
DOCUMENT = ROOT / "docs" / "architecture.md"

# Top to bottom, as the imports run; the contracts in .importlinter say the same and bind.
ORDER = ("cli", "marketplace", "node", "chains", "packages", "trust", "kernel", "compiling",
         "bytecode", "hooks")  # fmt: skip
GROUND = (
    "digests.py",
    "versions.py",
    "clock.py",
    "schema_steps.py",
    "json_documents.py",
    "sigstore.py",
    "file_modes.py",
    "system_errors.py",
    "errors.py",
)
_WIDTH = 30


def first_sentence(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    line = " ".join(docstring.split("\n\n")[0].split())
    return line.rstrip(".")


def lines() -> list[str]:
    found = []
    for room in ORDER:
        folders = sorted(path.parent for path in (SOURCES / room).rglob("__init__.py"))
        for folder in folders:
            name = f"{folder.relative_to(SOURCES)}/"
            found.append((name, first_sentence(folder / "__init__.py")))
    found += [(name, first_sentence(SOURCES / name)) for name in GROUND]
    found.append(("__main__.py", first_sentence(SOURCES / "__main__.py")))
    return [f"├── {name:<{_WIDTH}} {text}" for name, text in found]


def _imported(path: Path) -> set[str]:
    """The rooms, and modules of the ground, that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("skep.")}
    return found


def imports() -> list[str]:
    """A line for each room: the rooms that it imports, top to bottom."""
    found = []
    for room in ORDER:
        names = set().union(*map(_imported, (SOURCES / room).rglob("*.py"))) - {room}
        below = " ".join(name for name in ORDER if name in names)
        found.append(f"{room:<12} →  {below or 'the ground only'}")
    return found


def main() -> None:
    before = DOCUMENT.read_text(encoding="utf-8")
    after = before
    for first, made in (("src/skep/", lines()), ("room         imports", imports())):
        head, opened, rest = after.partition(f"```\n{first}\n")
        if not opened:
            sys.exit(f"{DOCUMENT.relative_to(ROOT)} has no block that begins with {first}")
        tail = rest.partition("\n```")[2]
        after = "\n".join([head + opened.rstrip("\n"), *made, "```"]) + tail
    if "--check" in sys.argv[1:]:
        if after != before:
            sys.exit(f"{DOCUMENT.relative_to(ROOT)} is not current: run ./dev docs")
        return
    DOCUMENT.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
