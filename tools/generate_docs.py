"""Fills the folder list of docs/architecture.md from what is there and says of itself.

python tools/generate_docs.py [--check]
"""

import ast
import re
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


def main() -> None:
    before = DOCUMENT.read_text(encoding="utf-8")
    tree = "\n".join(lines())
    after = re.sub(
        r"(```\nsrc/skep/\n).*?(\n```)", lambda m: m[1] + tree + m[2], before, flags=re.S
    )
    if "--check" in sys.argv[1:]:
        if after != before:
            sys.exit(f"{DOCUMENT.relative_to(ROOT)} is not current: run ./dev docs")
        return
    DOCUMENT.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
