"""Compile ``bpf/fixtures/*.bpf.c`` to ``tests/fixtures/objects/*.o``.

    tools/build_fixtures.py            compile those whose source changed; --all: every one
    tools/build_fixtures.py --check    fail if a source changed since, or compiling gives other
                                       bytes (this part is left out, and said so, without zig)

``digests.json`` beside the objects records the SHA-256 of each source, with the header all
sources share, and of each object.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

from skep.compiling.compiler import CSource, compile_object
from skep.compiling.errors import CompilerMissing
from skep.compiling.toolchain import CompilerChoice, find_compiler

_ROOT = Path(__file__).resolve().parent.parent
_SOURCES = _ROOT / "bpf" / "fixtures"
_OBJECTS = _ROOT / "tests" / "fixtures" / "objects"
_DIGESTS = _OBJECTS / "digests.json"


def _digest(*data: bytes) -> str:
    return hashlib.sha256(b"".join(data)).hexdigest()


def sources() -> dict[str, Path]:
    """Source of each fixture, by its name."""
    return {path.name.removesuffix(".bpf.c"): path for path in sorted(_SOURCES.glob("*.bpf.c"))}


def source_digests() -> dict[str, str]:
    """SHA-256 of each source with the shared header."""
    header = (_SOURCES / "fixture.h").read_bytes()
    return {name: _digest(header, path.read_bytes()) for name, path in sources().items()}


def recorded() -> dict[str, dict[str, str]]:
    """``digests.json``."""
    if not _DIGESTS.is_file():
        return {}
    document: dict[str, dict[str, str]] = json.loads(_DIGESTS.read_text(encoding="utf-8"))
    return document


def stale() -> list[str]:
    """What does not fit, a sentence each, found without a compiler."""
    known = recorded()
    problems = []
    for name, digest in source_digests().items():
        path = _OBJECTS / f"{name}.o"
        if name not in known or not path.is_file():
            problems.append(f"{name} was never built")
        elif known[name]["source"] != digest:
            problems.append(f"the source of {name} changed since it was built")
        elif known[name]["object"] != _digest(path.read_bytes()):
            problems.append(f"{name}.o is not what was built")
    problems += [f"{name} has no source" for name in known if name not in sources()]
    return problems


def _compile(name: str, compiler: CompilerChoice, cache: Path) -> bytes:
    return compile_object(
        CSource(sources()[name]), compiler, cache=cache, environment=dict(os.environ)
    )


def main() -> int:
    """Build or check; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--cache", type=Path, help="directory for the compiler's cache")
    arguments = parser.parse_args()
    problems = stale() if arguments.check else []
    with tempfile.TemporaryDirectory(prefix="fixtures-") as scratch:
        cache = arguments.cache or Path(scratch)
        try:
            compiler = find_compiler(dict(os.environ), "zig")
        except CompilerMissing as error:
            if not arguments.check:
                raise
            print(f"not compiled again: {error.message}")
        else:
            wanted = sorted(sources())
            known = recorded()
            digests = source_digests()
            if not (arguments.all or arguments.check):
                fresh = {name for name in known if known[name]["source"] == digests.get(name)}
                wanted = [name for name in wanted if name not in fresh]
            _OBJECTS.mkdir(parents=True, exist_ok=True)
            for name in wanted:
                data = _compile(name, compiler, cache)
                if not arguments.check:
                    (_OBJECTS / f"{name}.o").write_bytes(data)
                    known[name] = {"source": digests[name], "object": _digest(data)}
                elif name in known and _digest(data) != known[name]["object"]:
                    problems.append(f"compiling {name} gives other bytes")
            if not arguments.check:
                kept = {name: known[name] for name in sorted(digests)}
                text = json.dumps(kept, indent=1, sort_keys=True) + "\n"
                _DIGESTS.write_text(text, encoding="utf-8")
    for problem in problems:
        print(f"{problem}: run tools/build_fixtures.py")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
