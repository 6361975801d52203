"""Changing a node: told beforehand, told afterwards, reversed by a command, and nothing twice."""

import hashlib
import http.server
import os
import re
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders.attaching import xdp_program_id
from tests.builders.commands import Ran, Skep

from skep.kernel.interfaces import ifindex

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="attaching programs needs root"),
]
REF = "skep/port-filter:1.0.0"
OTHER = "skep/ratelimiting:1.0.0"


@pytest.fixture
def on(interface: str, skep: Skep) -> Iterator[str]:
    """A hook target; what a test left on it is removed."""
    yield f"xdp:{interface}"
    for one in deployments(skep):
        skep.ok("remove", one["name"], "--yes")


def deployments(skep: Skep) -> list[dict[str, object]]:
    return skep.ok("list", "--json").documents("deployments")


def running(on: str) -> int | None:
    """The kernel's id of the program on an interface; another one after every exchange."""
    return xdp_program_id(ifindex(on.partition(":")[2]))


def files(root: Path) -> dict[str, tuple[str, int]]:
    """Every file below a directory: its content, and when it was last written."""
    return {
        str(path.relative_to(root)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_relative_to(root / "bpf")
    }


def whole(skep: Skep, on: str) -> tuple[object, ...]:
    """A node on disk, in bpffs and in the kernel."""
    pins = sorted(str(path) for path in (skep.root / "bpf").rglob("*"))
    return files(skep.root), pins, running(on), deployments(skep)


def declared(skep: Skep) -> list[dict[str, object]]:
    """What is declared, without what differs each time it is installed."""
    varying = ("binding", "consent", "installed_at")
    return [
        {key: value for key, value in one.items() if key not in varying}
        for one in deployments(skep)
    ]


def undo_of(ran: Ran) -> list[str]:
    """The words of the command that is printed to reverse a change."""
    (command,) = re.findall(r"^undo: skep (.*)$", ran.err, re.MULTILINE)
    return shlex.split(command)


# Undo


def test_an_install_is_reversed_by_the_command_it_prints(skep: Skep, on: str) -> None:
    ran = skep.ok("install", REF, "--on", on, "--yes")
    assert undo_of(ran) == ["remove", "port-filter"]
    assert "undo" not in ran.out
    skep.ok(*undo_of(ran))
    assert deployments(skep) == []
    assert running(on) is None


def test_a_setting_gets_its_old_value_back(skep: Skep, on: str) -> None:
    skep.ok("install", OTHER, "--on", on, "--set", "ports=80, 443", "--yes")
    before = declared(skep)
    ran = skep.ok("set", "ratelimiting", "ports=22")
    assert undo_of(ran) == ["set", "ratelimiting", "ports=80, 443"]
    skep.ok(*undo_of(ran))
    assert declared(skep) == before


def test_a_setting_that_had_the_default_gets_it_back(skep: Skep, on: str) -> None:
    skep.ok("install", OTHER, "--on", on, "--yes")
    ran = skep.ok("set", "ratelimiting", "rate=7/s", "ports=22")
    assert undo_of(ran) == ["set", "ratelimiting", "ports=", "rate=1000/s"]
    skep.ok(*undo_of(ran))
    (one,) = deployments(skep)
    assert one["changed_settings"] == {}


def test_a_move_is_reversed_also_where_others_were_numbered_anew(skep: Skep, on: str) -> None:
    skep.ok("install", REF, "--on", on, "--order", "1", "--yes")
    skep.ok("install", OTHER, "--on", on, "--order", "1", "--yes")
    skep.ok("install", REF, "--on", on, "--order", "2", "--name", "third", "--yes")
    for place in (("--order", "5"), ("--after", "port-filter"), ("--before", "port-filter")):
        before = [one["name"] for one in deployments(skep)]
        ran = skep.ok("move", "third", *place)
        assert [one["name"] for one in deployments(skep)] != before or place[0] == "--order"
        skep.ok(*undo_of(ran))
        assert [one["name"] for one in deployments(skep)] == before


def test_what_was_removed_is_installed_again_as_it_was(skep: Skep, on: str) -> None:
    skep.ok("install", OTHER, "--on", on, "--yes")
    skep.ok("install", REF, "--on", on, "--name", "my-filter", "--set", "ports=9, 10", "--order",
            "3", "--yes")  # fmt: skip
    before = declared(skep)
    ran = skep.ok("remove", "my-filter")
    words = undo_of(ran)
    assert words[:2] == [
        "install",
        f"{skep.url.removeprefix('http://')}/{REF}@{before[0]['digest']}",
    ]
    skep.ok(*words, "--yes")
    assert declared(skep) == before


def test_everything_on_a_hook_is_installed_again_command_by_command(skep: Skep, on: str) -> None:
    skep.ok("install", OTHER, "--on", on, "--yes")
    skep.ok("install", REF, "--on", on, "--before", "ratelimiting", "--yes")
    before = declared(skep)
    commands = skep.ok("remove", "--on", on, "--json").document["undo"]
    assert isinstance(commands, list)
    assert len(commands) == 2
    for command in commands:
        skep.ok(*shlex.split(command)[1:], "--yes")
    assert declared(skep) == before


# Repeats


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("install", REF, "--on", "ON", "--set", "ports=9"), id="install"),
        pytest.param(("install", "skep/port-filter", "--on", "ON", "--set", "ports=9"),
                     id="install-the-newest"),
        pytest.param(("install", REF, "--on", "ON", "--set", "ports=9", "--before",
                      "ratelimiting"), id="install-at-its-place"),
        pytest.param(("set", "port-filter", "ports=9"), id="set"),
        pytest.param(("move", "port-filter", "--before", "ratelimiting"), id="move"),
        pytest.param(("move", "port-filter", "--order", "10"), id="move-to-its-number"),
    ],
)  # fmt: skip
def test_the_same_again_is_unchanged_and_touches_nothing(
    skep: Skep, on: str, words: tuple[str, ...]
) -> None:
    skep.ok("install", REF, "--on", on, "--set", "ports=9", "--yes")
    skep.ok("install", OTHER, "--on", on, "--yes")
    words = tuple(on if word == "ON" else word for word in words)
    skep.ok(*words)  # hears of the newest version, which is written down
    program, database = running(on), files(skep.root)["node.db"]
    ran = skep.ok(*words)
    assert ran.out.startswith("unchanged: ")
    assert "undo" not in ran.err
    assert (running(on), files(skep.root)["node.db"]) == (program, database)
    document = skep.ok(*words, "--json").document
    assert (document["changed"], document["undo"], document["steps"]) == (False, [], [])


@pytest.mark.parametrize(
    "more",
    [("--set", "ports=8"), ("--after", "ratelimiting"), ("--order", "99"),
     ("--insecure-accept-unsigned",)],
    ids=lambda words: words[0],
)  # fmt: skip
def test_something_else_of_the_same_name_is_a_conflict(
    skep: Skep, on: str, more: tuple[str, ...]
) -> None:
    skep.ok("install", REF, "--on", on, "--yes")
    skep.ok("install", OTHER, "--on", on, "--yes")
    before = whole(skep, on)
    ran = skep("install", REF, "--on", on, *more, "--yes")
    assert ran.code == 5, ran.err
    assert "there is a deployment 'port-filter' already" in ran.err
    assert whole(skep, on) == before


def test_what_is_declared_and_does_not_run_is_no_repeat(skep: Skep, on: str) -> None:
    skep.ok("install", REF, "--on", on, "--yes")
    for pin in (skep.root / "bpf" / "links").iterdir():
        pin.unlink()
    assert running(on) is None
    ran = skep.ok("install", REF, "--on", on)
    assert not ran.out.startswith("unchanged")
    assert running(on) is not None


# Dry runs


def test_a_dry_run_of_a_node_that_never_was_makes_nothing(
    skep: Skep, interface: str, tmp_path: Path
) -> None:
    node = replace(skep, root=tmp_path / "never")
    ran = node("install", REF, "--on", f"xdp:{interface}", "--dry-run")
    assert ran.code == 6, ran.err  # its publisher is not trusted there
    insecure = ("--insecure-accept-unsigned", "--dry-run")
    ran = node.ok("install", REF, "--on", f"xdp:{interface}", *insecure)
    assert ran.out.startswith(f"port-filter would run on xdp:{interface}; chain: port-filter\n")
    assert "Can drop packets" in " ".join(ran.err.split())
    assert not node.root.exists()
    assert running(f"xdp:{interface}") is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("install", OTHER, "--on", "ON"), "ratelimiting would run on ON; chain: port-filter → "),
        (("set", "port-filter", "ports=8"), "port-filter: ports=8, would be in force"),
        (("move", "port-filter", "--order", "3"), "chain would be: port-filter"),
        (("remove", "port-filter"), "would remove port-filter from ON"),
        (("remove", "--on", "ON"), "would remove port-filter from ON"),
    ],
    ids=["install", "set", "move", "remove", "remove-on"],
)
def test_a_dry_run_tells_and_changes_nothing(
    skep: Skep, on: str, words: tuple[str, ...], told: str
) -> None:
    skep.ok("install", REF, "--on", on, "--set", "ports=9", "--yes")
    words = tuple(word.replace("ON", on) for word in words)
    before = whole(skep, on)
    ran = skep.ok(*words, "--dry-run")
    assert ran.out.startswith(told.replace("ON", on))
    assert "undo" not in ran.err
    foreseen = skep.ok(*words, "--dry-run", "--json").document
    assert whole(skep, on) == before
    done = skep.ok(*words, *(("--yes",) if words[0] == "install" else ()), "--json").document
    assert (foreseen.pop("dry_run"), done.pop("dry_run")) == (True, False)
    for document in (foreseen, done):
        document.pop("consent", None)
    assert foreseen == done


@pytest.mark.parametrize(
    "words",
    [
        ("set", "nobody", "ports=8"),
        ("move", "port-filter", "--before", "nobody"),
        ("remove", "nobody"),
        ("set", "port-filter", "colour=1"),
        ("install", REF, "--on", "ON", "--set", "ports=1"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_dry_run_is_refused_as_the_real_one(skep: Skep, on: str, words: tuple[str, ...]) -> None:
    skep.ok("install", REF, "--on", on, "--yes")
    words = tuple(word.replace("ON", on) for word in words)
    foreseen, real = skep(*words, "--dry-run"), skep(*words)
    assert foreseen.code == real.code != 0
    assert foreseen.err == real.err


# Cheap checks first


@contextmanager
def counting_marketplace() -> Iterator[tuple[str, list[str]]]:
    """A marketplace that has nothing, and remembers what it was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(("lab/new", "--on", "xpd:INTERFACE"), 2, id="unknown-hook"),
        pytest.param(("lab/new", "--on", "xdp:nosuch"), 4, id="missing-interface"),
        pytest.param(("lab/new", "--on", "xdp:"), 2, id="no-interface"),
        pytest.param(("lab", "--on", "xdp:INTERFACE"), 3, id="malformed-reference"),
        pytest.param(("lab/new", "--on", "xdp:INTERFACE", "--set", "rate"), 2, id="no-value"),
        pytest.param(("lab/new", "--on", "xdp:INTERFACE", "--order", "x"), 2, id="option-value"),
        pytest.param(("lab/new", "--on", "xdp:INTERFACE", "--order", "-1"), 2, id="bad-order"),
        pytest.param(("lab/new", "--on", "xdp:INTERFACE", "--after", "who"), 4, id="no-neighbour"),
        pytest.param(("lab/new", "--on", "xdp:INTERFACE", "--name", "a.b"), 2, id="bad-name"),
        pytest.param(("lab/port-filter", "--on", "xdp:INTERFACE"), 5, id="taken-name"),
        pytest.param(("lab/new", "--on", "xdp:INTERFACE", "--marketplace", "who"), 4, id="place"),
    ],
)
def test_what_can_be_refused_here_asks_nobody(
    skep: Skep, on: str, words: tuple[str, ...], code: int
) -> None:
    skep.ok("install", REF, "--on", on, "--yes")
    interface = on.partition(":")[2]
    with counting_marketplace() as (url, asked):
        there = replace(skep, url=url)
        typed = [word.replace("INTERFACE", interface) for word in words]
        ran = there("install", *typed, "--yes")
        assert (ran.code, asked) == (code, []), ran.err
        there("install", "lab/new", "--on", on, "--yes")
        assert asked, "the marketplace counts what it is asked"


def test_an_unknown_setting_is_refused_before_trust_and_layers(
    skep: Skep, on: str, tmp_path: Path
) -> None:
    node = replace(skep, root=tmp_path / "stranger")
    ran = node("install", REF, "--on", on, "--set", "colour=1", "--yes")
    assert ran.code == 2, ran.err
    assert "no setting 'colour'" in ran.err
    blobs = [path for path in (node.root / "content" / "blobs").rglob("*") if path.is_file()]
    assert len(blobs) == 1  # skep.toml: neither the program nor a signature
    ran = node("install", REF, "--on", on, "--set", "ports=many", "--yes")
    assert ran.code == 2, ran.err
    ran = node("install", REF, "--on", on, "--yes")
    assert ran.code == 6, ran.err  # its publisher is not trusted there


# Others on the hook


def test_programs_on_the_hook_are_in_the_document_of_an_install(skep: Skep, on: str) -> None:
    first = skep.ok("install", REF, "--on", on, "--yes", "--json").document
    assert first["occupants"] == []
    program = running(on)
    second = skep.ok("install", OTHER, "--on", on, "--yes", "--json").documents("occupants")
    assert [(one["id"], one["is_ours"]) for one in second] == [(program, True)]
