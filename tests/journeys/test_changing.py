"""Changing a node: told beforehand, told afterwards, reversed by a command, and nothing twice."""

import hashlib
import http.server
import os
import re
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders.attaching import xdp_program_id
from tests.builders.commands import Ran, Skep

from skep.kernel.interfaces import ifindex
from skep.packages.local.heard import note_heard, read_heard
from skep.versions import Version

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="attaching programs needs root"),
]
REF = "skep/port-filter:1.0.0"
OTHER = "skep/ratelimiting:1.0.0"
SETTLE_SECONDS = 10.0


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
    assert undo_of(ran) == ["set", "ratelimiting", "--reset", "ports", "--reset", "rate"]
    skep.ok(*undo_of(ran))
    (one,) = deployments(skep)
    assert (one["settings"], one["changed_settings"]) == ({}, {})


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


def test_the_same_again_is_unchanged_and_touches_nothing(skep: Skep, on: str) -> None:
    skep.ok("install", "skep/port-filter", "--on", on, "--set", "ports=9", "--yes")
    skep.ok("install", OTHER, "--on", on, "--yes")
    before = whole(skep, on)
    for words in (
        ("install", REF, "--on", on, "--set", "ports=9"),
        ("install", REF, "--on", on, "--set", "ports=9", "--before", "ratelimiting"),
        ("set", "port-filter", "ports=9"),
        ("move", "port-filter", "--before", "ratelimiting"),
        ("move", "port-filter", "--order", "10"),
    ):
        ran = skep.ok(*words)
        assert ran.out.startswith("unchanged: "), words
        assert "undo" not in ran.err
        document = skep.ok(*words, "--json").document
        assert (document["changed"], document["undo"], document["steps"]) == (False, [], [])
        assert whole(skep, on) == before, words
    # Without a version the marketplace is asked, and what it said is written down.
    newest = ("install", "skep/port-filter", "--on", on, "--set", "ports=9")
    assert skep.ok(*newest).out.startswith("unchanged: ")
    assert whole(skep, on)[1:] == before[1:]


def test_something_else_of_the_same_name_is_a_conflict(skep: Skep, on: str) -> None:
    skep.ok("install", REF, "--on", on, "--yes")
    skep.ok("install", OTHER, "--on", on, "--yes")
    before = whole(skep, on)
    for more in (
        ("--set", "ports=8"),
        ("--after", "ratelimiting"),
        ("--order", "99"),
        ("--insecure-accept-unsigned",),
    ):
        ran = skep("install", REF, "--on", on, *more, "--yes")
        assert ran.code == 5, ran.err
        assert "a deployment 'port-filter' already exists" in ran.err
        assert whole(skep, on) == before


def test_what_is_declared_and_does_not_run_is_no_repeat(skep: Skep, on: str) -> None:
    skep.ok("install", REF, "--on", on, "--yes")
    for pin in (skep.root / "bpf" / "links").iterdir():
        pin.unlink()
    deadline = time.monotonic() + SETTLE_SECONDS  # the kernel takes a link away a little later
    while running(on) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
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
    assert "drop packets" in ran.err
    assert not node.root.exists()
    assert running(f"xdp:{interface}") is None


def test_a_dry_run_tells_and_changes_nothing(skep: Skep, on: str) -> None:
    skep.ok("install", REF, "--on", on, "--set", "ports=9", "--yes")
    before = whole(skep, on)
    for words, told in (
        (("install", OTHER, "--on", on), f"ratelimiting would run on {on}; chain: port-filter → "),
        (("set", "port-filter", "ports=8"), "port-filter: ports=8, would be in force"),
        (("move", "port-filter", "--order", "3"), "chain would be: port-filter"),
        (("remove", "port-filter"), f"would remove port-filter from {on}"),
        (("remove", "--on", on), f"would remove port-filter from {on}"),
    ):
        ran = skep.ok(*words, "--dry-run")
        assert ran.out.startswith(told)
        assert "undo" not in ran.err
        foreseen = skep.ok(*words, "--dry-run", "--json").document
        assert (foreseen["dry_run"], foreseen["changed"]) == (True, True)
        assert whole(skep, on) == before, words
    done = skep.ok("remove", "--on", on, "--json").document
    assert foreseen == {**done, "dry_run": True}


def test_a_dry_run_is_refused_as_the_real_one(skep: Skep, on: str) -> None:
    skep.ok("install", REF, "--on", on, "--yes")
    for words in (
        ("set", "nobody", "ports=8"),
        ("move", "port-filter", "--before", "nobody"),
        ("remove", "nobody"),
        ("set", "port-filter", "colour=1"),
        ("install", REF, "--on", on, "--set", "ports=1"),
    ):
        foreseen, real = skep(*words, "--dry-run"), skep(*words)
        assert foreseen.code == real.code != 0, words
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


def test_what_can_be_refused_here_asks_nobody(skep: Skep, on: str) -> None:
    skep.ok("install", REF, "--on", on, "--yes")
    with counting_marketplace() as (url, asked):
        there = replace(skep, url=url)
        for code, *words in (
            (2, "lab/new", "--on", on.replace("xdp", "xpd")),
            (4, "lab/new", "--on", "xdp:nosuch"),
            (2, "lab/new", "--on", "xdp:"),
            (2, "lab", "--on", on),
            (2, "lab/new", "--on", on, "--set", "rate"),
            (2, "lab/new", "--on", on, "--order", "x"),
            (2, "lab/new", "--on", on, "--order", "-1"),
            (4, "lab/new", "--on", on, "--after", "who"),
            (2, "lab/new", "--on", on, "--name", "a.b"),
            (5, "lab/port-filter", "--on", on),
            (4, "lab/new", "--on", on, "--marketplace", "who"),
        ):
            ran = there("install", *words, "--yes")
            assert (ran.code, asked) == (code, []), f"{words}: {ran.err}"
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


# Consent


def test_removing_what_stops_others_names_the_whole_command(skep: Skep, on: str) -> None:
    skep.ok("install", REF, "--on", on, "--yes")
    skep.ok("install", OTHER, "--on", on, "--yes")
    for copy in (skep.root / "kept").iterdir():
        copy.unlink()
    with distrusting(skep):
        before = whole(skep, on)
        foreseen = skep.ok("remove", "port-filter", "--dry-run")
        assert "ratelimiting would not run any more" in foreseen.err
        ran = skep("remove", "port-filter")
        assert ran.code == 11, ran.err
        assert "hint:  skep remove port-filter --yes" in ran.err
        assert skep.at_terminal("remove", "port-filter", keys="n\n").code == 11
        assert whole(skep, on) == before
        seen = skep.at_terminal("remove", "port-filter", keys="y\n")
        assert seen.code == 0, seen.screen
        assert "ratelimiting does not run any more" in seen.screen


@contextmanager
def distrusting(skep: Skep) -> Iterator[None]:
    """Trust the publisher no longer, for a while."""
    skep.ok("keys", "untrust", "skep")
    try:
        yield
    finally:
        skep.ok("keys", "trust", "skep", skep.root / "keys" / "author.pub")


# What list says


def test_list_tells_trust_settings_and_what_is_out(skep: Skep, on: str) -> None:
    skep.ok("install", REF, "--on", on, "--set", "ports=9, 10", "--yes")
    skep.ok("install", OTHER, "--on", on, "--set", "rate=1000/s", "--yes")
    origin = skep.url.removeprefix("http://")
    heard = skep.root / "cache" / "heard.json"
    note_heard(heard, origin, {"skep/port-filter": Version(9, 9, 9)}, "2026-11-30T16:59:57Z")
    with counting_marketplace() as (url, asked):
        nobody = replace(skep, url=url)
        text = nobody.ok("list").out
        filtering, limiting = nobody.ok("list", "--json").documents("deployments")
        assert asked == []
    assert f"  ports 9, 10\n  9.9.9 is out ({origin}, 2026-11-30)\n" in text
    assert "1000/s" not in text  # as the package has it, though it was typed
    assert (filtering["trust"], filtering["changed_settings"]) == ("signed", {"ports": "9, 10"})
    assert filtering["newer"] == {
        "version": "9.9.9",
        "marketplace": origin,
        "heard_at": "2026-11-30T16:59:57Z",
    }
    assert (limiting["changed_settings"], limiting["newer"]) == ({}, None)
    with distrusting(skep):
        assert {one["trust"] for one in deployments(skep)} == {"distrusted"}


@pytest.mark.parametrize(
    "words",
    [("search", "port"), ("show", "skep/port-filter"), ("pull", "skep/port-filter")],
    ids=lambda words: words[0],
)
def test_what_a_marketplace_says_is_remembered(skep: Skep, words: tuple[str, ...]) -> None:
    origin = skep.url.removeprefix("http://")
    heard = skep.root / "cache" / "heard.json"
    note_heard(heard, origin, {"skep/port-filter": Version(9, 9, 9)}, "2026-11-30T16:59:57Z")
    skep.ok(*words)
    said = read_heard(heard)[origin, "skep/port-filter"]
    assert said.version == Version(1, 0, 0)
    assert said.at > "2026-11-30T16:59:57Z"
