"""Where the headers for authors are."""

from pathlib import Path


def include_directories() -> tuple[Path, ...]:
    """Where the headers for authors are: in an installation, or in a clone."""
    here = Path(__file__).resolve()
    candidates = (here.parents[1] / "include", here.parents[3] / "bpf" / "include")
    return tuple(path for path in candidates if path.is_dir())
