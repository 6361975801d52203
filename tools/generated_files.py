"""Writing generated files, or checking that they are what would be written: the end of a generator.

Each generator is a script of its own; Python finds this module beside it.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def write_or_check(
    files: Mapping[Path, Callable[[], str]], root: Path, arguments: Sequence[str]
) -> int:
    """Write the files, or with ``--check`` say which of them are not current.

    Args:
        files: what makes the text of each.
        root: of the project; paths are shown from there.
        arguments: of the command line, without the program.

    Returns:
        The exit code: 1 if a file is not current.
    """
    generator = Path(sys.argv[0]).name
    parser = argparse.ArgumentParser(description=f"Write {', '.join(path.name for path in files)}.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    options = parser.parse_args(arguments)
    stale = []
    for path, make in files.items():
        text = make()
        if not options.check:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
    for path in stale:
        print(f"{path.relative_to(root)} is not current: run tools/{generator}")
    return 1 if stale else 0
