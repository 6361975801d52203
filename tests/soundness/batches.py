"""Programs are judged in throw-away children, many in each; the parent runs nothing.

A child says what it begins with and what came of it, line by line. One that dies or takes too long
costs the program it was at, which is reported as such; a new child goes on behind it.
"""

import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from skep.bytecode.btf.kernel_types import KernelTypes
from tests.soundness.generating import Program
from tests.soundness.judging import Outcome, Violation, judge
from tests.soundness.places import die_with_parent, enter_namespaces, place
from tests.soundness.triggers import own_group

_SECONDS = 20.0  # without a word, after which a child is lost

Make = Callable[[str], Program]


class Batch:
    """Jobs for one child after another.

    Args:
        make: a program of a job's name, called in the child.
    """

    def __init__(self, types: KernelTypes, make: Make, size: int = 200) -> None:
        self._types = types
        self._make = make
        self._size = size

    def run(self, jobs: Sequence[str]) -> Iterator[Outcome]:
        """Outcomes in the order of the jobs."""
        position = 0
        while position < len(jobs):
            chunk = jobs[position : position + self._size]
            done = 0
            for outcome in self._child(chunk):
                done += 1
                yield outcome
            position += max(done, 1)

    def _child(self, jobs: Sequence[str]) -> Iterator[Outcome]:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            self._outer(writing, jobs)
        os.close(writing)
        begun = ""
        finished = 0
        try:
            for line in _lines(reading):
                document = json.loads(line)
                if "begun" in document:
                    begun = document["begun"]
                elif "broken" in document:
                    raise RuntimeError(document["broken"])
                else:
                    finished += 1
                    yield _outcome(document)
        finally:
            os.close(reading)
            if finished < len(jobs):
                os.kill(child, signal.SIGKILL)  # its own child dies with it
            os.waitpid(child, 0)
            _remove_group(child)
        if finished < len(jobs) and begun:
            kind, _, seed = begun.partition(":")
            yield Outcome(kind, seed, "lost", reason="the child died or took too long")

    def _outer(self, writing: int, jobs: Sequence[str]) -> None:
        """In the child: leave the namespaces, and be the parent of the one who works."""
        code = 1
        try:
            group = own_group(os.getpid())
            if group is not None:
                group.mkdir()
            enter_namespaces()
            die_with_parent()
            inner = os.fork()
            if not inner:
                self._inner(writing, jobs, group)
            os.close(writing)
            code = os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1])
        except BaseException:  # noqa: BLE001 - nothing may leave a forked child
            _say(writing, {"broken": traceback.format_exc()})
        os._exit(abs(code))

    def _inner(self, writing: int, jobs: Sequence[str], group: Path | None) -> None:
        code = 1
        try:
            die_with_parent()
            with place(self._types, group) as where:
                for job in jobs:
                    _say(writing, {"begun": job})
                    outcome = judge(self._make(job), self._types, where)
                    _say(writing, asdict(outcome))
            code = 0
        except BaseException:  # noqa: BLE001 - nothing may leave a forked child
            _say(writing, {"broken": traceback.format_exc()})
        sys.stdout.flush()
        os._exit(code)


def _remove_group(child: int) -> None:
    """Remove a child's control group, once nobody is in it."""
    group = own_group(child)
    if group is None:
        return
    for _ in range(100):
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError:  # somebody is still leaving
            time.sleep(0.02)
        else:
            return


def _say(writing: int, document: dict[str, Any]) -> None:
    data = json.dumps(document).encode() + b"\n"
    while data:
        data = data[os.write(writing, data) :]


def _lines(reading: int) -> Iterator[bytes]:
    """Lines until the end, or until nothing comes for too long."""
    held = b""
    limit = time.monotonic() + _SECONDS
    while True:
        ready, _, _ = select.select([reading], [], [], max(limit - time.monotonic(), 0))
        if not ready:
            return
        data = os.read(reading, 1 << 16)
        if not data:
            return
        limit = time.monotonic() + _SECONDS
        *lines, held = (held + data).split(b"\n")
        yield from lines


def _outcome(document: dict[str, Any]) -> Outcome:
    violations = [
        Violation(
            each["kind"], each["seed"], tuple(each["missing"]), each["because"],
            tuple(each["tags"]), tuple(each["label"]), each["listing"],
        )
        for each in document["violations"]
    ]  # fmt: skip
    return Outcome(
        document["kind"],
        document["seed"],
        document["state"],
        document["reason"],
        tuple(document["tags"]),
        tuple(document["label"]),
        tuple(document["obligations"]),
        tuple(tuple(each) for each in document["needs"]),
        tuple(document["seen"]),
        violations,
    )
