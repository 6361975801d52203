"""How long an object takes to be read and analysed, and how much memory.

A typical object (30 KB, 700 instructions) and a big one (2 MB, 50,000 instructions), both made by
``big_object``, and all of the project's own fixtures together. Processor time, the best of several
rounds, because the machine may have other things to do. The peers, in the same run, where they
are installed: pyelftools parsing sections, symbols and relocations, which is less than is done
here; and ``llvm-objdump -d -r`` in a process of its own, as ``skep inspect`` is, which also has
to start.
"""

import gc
import importlib
import importlib.util
import io
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.big_object import make_object
from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.objectfile.reading import read_object

FIXTURES = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "objects"
ROUNDS = 9
BOUNDS = {
    "typical, analysed": 0.020,
    "big, without data flow": 0.150,
    "big, analysed": 0.600,
    "skep inspect big.o": 1.0,
}
"""Seconds, agreed on before anything was measured."""
_PEER = "elftools"


@dataclass(frozen=True, slots=True)
class Reading:
    """Seconds of processor time by name, every round.

    Attributes:
        sizes: bytes and instructions of the objects.
        peak_bytes: of memory held by Python while the big object is read and analysed.
        left_out: peers that were not measured, and why.
    """

    seconds: dict[str, list[float]]
    sizes: dict[str, tuple[int, int]]
    peak_bytes: int
    left_out: dict[str, str]

    def document(self) -> dict[str, object]:
        best = {name: min(values) for name, values in self.seconds.items()}
        return {
            "objects": {
                name: {"bytes": size, "instructions": count}
                for name, (size, count) in self.sizes.items()
            },
            "best_seconds": {name: round(value, 4) for name, value in best.items()},
            "bounds_seconds": BOUNDS,
            "is_within_bounds": all(best[name] <= bound for name, bound in BOUNDS.items()),
            "peak_megabytes": round(self.peak_bytes / 1e6, 1),
            "ratios": {
                f"{name} / {peer}": round(best[name] / best[peer], 2)
                for name, peer in (
                    ("big, read", "pyelftools, big"),
                    ("big, analysed", "llvm-objdump, big"),
                )
                if peer in best
            },
            "left_out": self.left_out,
        }

    def text(self) -> str:
        """The table of docs/benchmarks.md."""
        lines = [f"{'':<26}{'best':>10}{'middle':>10}{'bound':>10}"]
        for name, values in self.seconds.items():
            middle = sorted(values)[len(values) // 2]
            bound = f"{BOUNDS[name] * 1e3:.0f} ms" if name in BOUNDS else ""
            lines.append(
                f"{name:<26}{min(values) * 1e3:>7.1f} ms{middle * 1e3:>7.1f} ms{bound:>10}"
            )
        for name, (size, count) in self.sizes.items():
            lines.append(f"{name}: {size / 1000:,.0f} kB, {count:,} instructions")
        lines.append(f"peak memory, big: {self.peak_bytes / 1e6:.0f} MB")
        lines += [f"{peer}: left out, {reason}" for peer, reason in self.left_out.items()]
        return "\n".join(lines) + "\n"


def measure(rounds: int = ROUNDS, *, programs: int = 25, types: int = 1500) -> Reading:
    """Everything; ``programs`` of 2,000 instructions make the big object."""
    objects = {
        "typical": make_object(1, 700, types=60, debug_bytes=0),
        "big": make_object(programs, 2000, types=types, debug_bytes=36_000 * programs),
    }
    fixtures = [path.read_bytes() for path in sorted(FIXTURES.glob("*.o"))]
    typical, big = objects["typical"], objects["big"]
    steps: dict[str, Callable[[], object]] = {
        "typical, read": lambda: read_object(typical),
        "typical, analysed": lambda: analyse(read_object(typical)),
        f"{len(fixtures)} fixtures, analysed": lambda: [analyse(read_object(d)) for d in fixtures],
        "big, read": lambda: read_object(big),
        "big, without data flow": lambda: analyse(read_object(big), data_flow=False),
        "big, analysed": lambda: analyse(read_object(big)),
    }
    left_out: dict[str, str] = {}
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="skep-reading-") as directory:
        path = Path(directory) / "big.o"
        path.write_bytes(big)
        inspect = [sys.executable, "-m", "skep", "inspect", str(path)]
        steps["skep inspect big.o"] = lambda: _run(inspect)
        _add_peers(steps, left_out, path, big)
        for name, step in steps.items():
            seconds[name] = list(_timed(step, rounds))
    sizes = {
        name: (len(data), sum(len(each.instructions) for each in read_object(data).functions))
        for name, data in objects.items()
    }
    return Reading(seconds, sizes, _peak(lambda: analyse(read_object(big))), left_out)


def _add_peers(
    steps: dict[str, Callable[[], object]], left_out: dict[str, str], path: Path, data: bytes
) -> None:
    if importlib.util.find_spec(_PEER) is None:
        left_out["pyelftools"] = "it is not installed"
    else:
        peer = importlib.import_module(f"{_PEER}.elf.elffile")
        steps["pyelftools, big"] = lambda: _parsed_by_peer(peer, data)
    objdump = shutil.which("llvm-objdump")
    if objdump is None:
        left_out["llvm-objdump"] = "it is not installed"
        return
    command = [objdump, "-d", "-r", str(path)]

    steps["llvm-objdump, big"] = lambda: _run(command)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _parsed_by_peer(peer: Any, data: bytes) -> int:
    """Sections, symbols and the relocations of code, all of them looked at."""
    found = 0
    for section in peer.ELFFile(io.BytesIO(data)).iter_sections():
        kind = section["sh_type"]
        if kind == "SHT_SYMTAB":
            found += sum(1 for _ in section.iter_symbols())
        elif kind == "SHT_REL" and not section.name.startswith(".rel.debug"):
            found += sum(1 for _ in section.iter_relocations())
    return found


def _timed(step: Callable[[], object], rounds: int) -> Iterator[float]:
    step()
    for _ in range(rounds):
        gc.collect()
        start = _processor_seconds()
        step()
        yield _processor_seconds() - start


def _processor_seconds() -> float:
    """Of this process and of those it waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _peak(step: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


if __name__ == "__main__":
    sys.stdout.write(measure().text())
