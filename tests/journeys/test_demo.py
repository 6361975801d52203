"""Somebody tries Skep for the first time: the demo, whole, interrupted and killed."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.builders.commands import COMMAND, Ran, Skep

from skep.kernel.network import namespaces

pytestmark = [
    pytest.mark.slow,
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="attaching programs needs root"),
]


def _network_of(demo: "subprocess.Popen[str]") -> str:
    """The name of a demo's interface and namespace; others may have demos, too."""
    return f"skep-demo-{demo.pid % 100_000}"


def _leftovers(root: Path, network: str) -> list[str]:
    """Everything a demo could leave on this machine."""
    found = [f"namespace {network}"] if network in namespaces() else []
    found += [f"interface {network}"] if Path("/sys/class/net", network).exists() else []
    found += [f"mount {line}" for line in Path("/proc/mounts").read_text().splitlines()
              if f"{root}/demo" in line]  # fmt: skip
    found += [f"file {path}" for path in root.rglob("*") if "demo" in path.parts[len(root.parts) :]]
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes()  # a compiler is known by its directories
            if f"{root}/demo".encode() in command + (path / "environ").read_bytes():
                found.append(f"process {path.name}: {command.replace(bytes(1), b' ').decode()}")
        except OSError:
            continue
    return found


@contextmanager
def _demo(skep: Skep, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """A demo that has begun; what it leaves, if a test fails, is cleared away."""
    with subprocess.Popen(
        [*COMMAND, "demo", *arguments],
        env=skep.variables | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            process.wait()
            skep("doctor", "--repair")
            raise


def test_the_demo_shows_the_whole_flow_and_leaves_nothing_behind(tmp_path: Path) -> None:
    skep = Skep(tmp_path / "root")
    with _demo(skep, "--json") as process:
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    ran = Ran(process.returncode, out, errors)
    steps = [step["step"] for step in ran.documents("steps")]
    wanted = ["compile", "sign", "marketplace", "publish", "search", "pull and verify", "chain",
              "traffic", "live", "swap", "remove", "nothing behind"]  # fmt: skip
    for word in wanted:
        assert any(word in str(step) for step in steps), word
    published = next(step for step in ran.documents("steps") if "publish" in str(step["step"]))
    assert published["result"] == "reviewed automatically: accepted, accepted"
    swap = next(step for step in json.loads(ran.out)["steps"] if "swap" in step["step"])
    assert swap["sent"] > 0
    assert swap["gained"]["port-filter"]["seen"] == swap["sent"]
    assert swap["gained"]["ratelimiting"]["received"] == swap["sent"]
    assert _leftovers(skep.root, _network_of(process)) == []


# Each step's line is printed when the step has ended: the interrupt arrives in the next one.
_LINES = ["network of its own", "package port-filter", "package ratelimiting", "sign both",
          "start a marketplace", "publish both", "search", "verify ratelimiting", "chain both",
          "send traffic", "rate=", "ports=", "swap the order"]  # fmt: skip


@pytest.mark.parametrize("line", _LINES)
def test_ctrl_c_after_any_step_leaves_nothing_behind(line: str, tmp_path: Path) -> None:
    skep = Skep(tmp_path / "root")
    with _demo(skep) as process:
        network = _network_of(process)
        assert process.stdout is not None
        for text in process.stdout:
            if line in text:
                process.send_signal(signal.SIGINT)
                break
        process.communicate(timeout=120)
    # A shell reports 130 for both. Under ``python -m`` CPython kills itself with the signal, after
    # everything was cleaned up, if the interrupt fell into ``exec`` of a string, which is how
    # dataclasses are made while a module is imported.
    assert process.returncode in {130, -signal.SIGINT}
    assert _leftovers(skep.root, network) == []


@pytest.mark.parametrize("line", ["network of its own", "start a marketplace", "chain both"])
def test_the_doctor_clears_away_what_a_killed_demo_left(line: str, tmp_path: Path) -> None:
    skep = Skep(tmp_path / "root")
    with _demo(skep) as process:
        network = _network_of(process)
        assert process.stdout is not None
        for text in process.stdout:
            if line in text:
                process.kill()
                break
        process.communicate(timeout=120)
    assert _leftovers(skep.root, network) != []
    listed = skep("doctor", "--json").document["findings"]
    assert isinstance(listed, list)
    assert any(finding["kind"] == "playground left behind" for finding in listed)
    assert "removed interface" in skep.ok("doctor", "--repair").out
    deadline = time.monotonic() + 60
    while _leftovers(skep.root, network) and time.monotonic() < deadline:
        time.sleep(0.1)  # the marketplace ends by itself when its pipe does
    assert _leftovers(skep.root, network) == []
    assert "no problems found" in skep.ok("doctor").out
    assert str(skep.root) not in Path("/proc/mounts").read_text()


def test_keep_leaves_it_running_until_ctrl_c(tmp_path: Path) -> None:
    skep = Skep(tmp_path / "root")
    with _demo(skep, "--keep") as process:
        network = _network_of(process)
        assert process.stdout is not None
        root = ""
        for text in process.stdout:
            if "SKEP_ROOT=" in text:
                root = text.split("SKEP_ROOT=")[1].split()[0]
            if "Ctrl-C ends it" in text:
                break
        assert root
        chain = Skep(Path(root)).ok("chain").out
        assert "ratelimiting" in chain
        assert "running" in chain
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    assert process.returncode == 0
    assert _leftovers(skep.root, network) == []
