"""The loop: draw a case, run it under a watchdog, keep what was new, note what broke.

It runs in a process of its own, whose memory is bounded; a case that takes longer than any object
may is interrupted and noted with the line it was in.
"""

import faulthandler
import hashlib
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType

from tests.fuzz.drafts import Draft, take_apart
from tests.fuzz.mutating import mutated
from tests.fuzz.seeds import Kernels, kernels, seeds
from tests.fuzz.stages import run

CORPUS = Path(__file__).resolve().parent / "corpus"
MEMORY_BYTES = 512 << 20
CASE_SECONDS = 30.0
"""Processor time no case comes near, on any machine: a watchdog, not a measure of speed."""
_MOST_KEPT = 1500
_MOST_SEED_BYTES = 1 << 16


class Hang(Exception):
    """A case used up its processor time."""


@dataclass
class Tally:
    """What a run did.

    Attributes:
        findings: by place in the code: what, and the first case that did it.
        slowest: seconds and case.
    """

    executions: int = 0
    read: int = 0
    linked: int = 0
    shapes: int = 0
    findings: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    slowest: tuple[float, bytes] = (0.0, b"")

    def document(self) -> dict[str, object]:
        return {
            "executions": self.executions,
            "read": self.read,
            "linked": self.linked,
            "outcomes": self.shapes,
            "slowest_seconds": round(self.slowest[0], 3),
            "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
            "findings": {place: what for place, (what, _case) in self.findings.items()},
        }


def bound_memory() -> None:
    """No more than 512 MB of addresses for this process from here on."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def fuzz(seed: int, is_over: Callable[[Tally], bool]) -> Tally:
    """Run cases until ``is_over``; the same seed gives the same cases."""
    faulthandler.enable()
    signal.signal(signal.SIGPROF, _interrupt)
    random = Random(seed)  # noqa: S311 - cases must be repeatable, not secret
    begun = seeds()
    against = [kernels(data) for data in begun]
    pool: list[tuple[Draft, Kernels]] = [
        (take_apart(data), each) for data, each in zip(begun, against, strict=True)
    ]
    drafts = [draft for draft, _kernels in pool]
    tally = Tally()
    seen: set[tuple[str, ...]] = set()
    while not is_over(tally):
        # New ones are more promising than old ones, but the seeds are never forgotten.
        recent = len(pool) > 64 and random.random() < 0.5
        draft, used = random.choice(pool[-256:] if recent else pool)
        data = mutated(draft, random, drafts)
        outcome = _one(data, used, random, tally)
        if outcome in seen:
            continue
        seen.add(outcome)
        tally.shapes = len(seen)
        if outcome[0] not in ("refused", "finding") and len(data) < _MOST_SEED_BYTES:
            _keep(pool, data, used, len(begun), random)
    return tally


def _one(data: bytes, used: Kernels, random: Random, tally: Tally) -> tuple[str, ...]:
    tally.executions += 1
    signal.setitimer(signal.ITIMER_PROF, CASE_SECONDS)
    start = time.process_time()
    try:
        outcome = run(data, used, random)
    except (Exception, Hang) as error:  # noqa: BLE001 - to find what nobody expects is the purpose
        place = _place(error)
        tally.findings.setdefault(place, (f"{type(error).__name__}: {str(error)[:200]}", data))
        outcome = ("finding", place)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    seconds = time.process_time() - start
    if seconds > tally.slowest[0]:
        tally.slowest = (seconds, data)
    tally.read += outcome[0] not in ("refused", "finding")
    tally.linked += "linked" in outcome
    return outcome


def _keep(
    pool: list[tuple[Draft, Kernels]], data: bytes, used: Kernels, fixed: int, random: Random
) -> None:
    try:
        draft = take_apart(data)
    except Exception:  # noqa: BLE001 - a reader of valid files only; the case is not worth keeping
        return
    if len(pool) < _MOST_KEPT:
        pool.append((draft, used))
    else:
        pool[random.randrange(fixed, len(pool))] = (draft, used)


def _place(error: BaseException) -> str:
    """Where it was raised: the innermost line of Skep, and that of its cause."""
    cause = error.__cause__ or error
    frames = traceback.extract_tb(cause.__traceback__)
    own = [frame for frame in frames if "/skep/" in frame.filename] or frames
    return f"{Path(own[-1].filename).name}:{own[-1].lineno} {own[-1].name}" if own else "nowhere"


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise Hang(f"more than {CASE_SECONDS} s of processor time")


def write_findings(tally: Tally, directory: Path) -> None:
    """Keep the cases that broke something, each named by its digest, and the slowest."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "slowest.case").write_bytes(tally.slowest[1])
    for place, (what, data) in tally.findings.items():
        name = hashlib.sha256(data).hexdigest()[:12]
        (directory / f"{name}.o").write_bytes(data)
        print(f"{name}.o  {place}  {what}", file=sys.stderr)
