"""An author publishes, an operator finds, reads the label, runs, changes and removes."""

import os
from ipaddress import IPv4Address
from pathlib import Path
from socket import socket

import pytest
from tests.builders.attaching import xdp_program_id
from tests.builders.commands import Skep

from skep.cli.demo.frames import Path as FramePath
from skep.cli.demo.frames import udp_frame
from skep.kernel.interfaces import ifindex
from skep.kernel.network import hardware_address

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="attaching programs needs root")


def _path(interface: str) -> FramePath:
    near, far = hardware_address(interface), hardware_address("far", interface)
    return FramePath(
        source_mac=bytes.fromhex(far.replace(":", "")),
        destination_mac=bytes.fromhex(near.replace(":", "")),
        source=IPv4Address("198.51.100.2"),
        destination=IPv4Address("198.51.100.1"),
    )


def test_a_build_is_the_same_bytes_wherever_it_is_made(skep: Skep, project: Path) -> None:
    here = skep.ok("build", project, "--json").document["digest"]
    published = skep.ok("show", "skep/port-filter", "--json").document["digest"]
    assert here == published


def test_a_search_finds_by_words_of_the_summary(skep: Skep) -> None:
    found = skep.ok("search", "limits", "--json").document["packages"]
    assert isinstance(found, list)
    assert [hit["package"] for hit in found] == ["skep/ratelimiting"]


def test_show_says_what_it_may_do_and_who_signed(skep: Skep) -> None:
    text = skep.ok("show", "skep/ratelimiting").out
    assert "Can      ! drop packets  net.drop" in text
    assert "Cannot   change or redirect packets · read kernel memory" in text
    assert "✓ key trusted here since" in text
    assert "Vetted   automatic ✓" in text
    assert "SHA256:" in text
    assert "GPL-2.0-only OR BSD-2-Clause" in text


def test_show_lists_programs_settings_and_metrics(skep: Skep) -> None:
    ran = skep.ok("show", "skep/ratelimiting")
    assert "Programs ratelimiting  xdp  continues on: pass" in ran.out
    assert "Settings rate   rate       1000/s  new connections" in ran.out
    assert "dropped   counter  new connections dropped" in ran.out
    document = skep.ok("show", "skep/ratelimiting", "--json").document
    assert document["programs"] == [{"name": "ratelimiting", "hook": "xdp", "run_on": ["pass"]}]
    assert isinstance(document["settings"], list)
    assert [each["name"] for each in document["settings"]] == ["rate", "ports"]
    assert isinstance(document["metrics"], list)
    assert [each["name"] for each in document["metrics"]] == ["received", "dropped"]


def test_inspect_says_of_a_package_what_show_says(skep: Skep) -> None:
    skep.ok("pull", "skep/port-filter:1.0.0")
    inspected = skep.ok("inspect", "skep/port-filter:1.0.0", "--json").document
    shown = skep.ok("show", "skep/port-filter", "--json").document
    for field in ("label", "programs", "settings", "metrics"):
        assert inspected[field] == shown[field]
    reports = inspected["reports"]
    assert isinstance(reports, dict)
    (report,) = reports.values()
    assert ("net.drop", "declared") in {
        (each["id"], each["confidence"]) for each in report["permissions"]
    }
    assert report["requirements"]["oldest_kernel"]


def test_pull_then_verify_names_every_check(skep: Skep) -> None:
    skep.ok("pull", "skep/ratelimiting:1.0.0")
    text = skep.ok("verify", "skep/ratelimiting:1.0.0").out
    assert "every other byte hashed" in text
    assert "signed by SHA256:" in text


def test_inspect_shows_the_label_of_an_object_file_in_a_screen(skep: Skep) -> None:
    path = Path(__file__).parents[1] / "fixtures" / "objects"
    text = skep.ok("inspect", next(iter(sorted(path.glob("*.o"))))).out
    assert 4 <= len(text.splitlines()) <= 40


@needs_root
@pytest.mark.kernel
def test_an_operator_runs_changes_and_removes_a_chain(
    skep: Skep, interface: str, far_end: socket
) -> None:
    on = f"xdp:{interface}"
    first = skep.ok("install", "skep/port-filter", "--on", on, "--set", "ports=9", "--yes")
    assert f"Can      ! drop packets on {interface}" in first.err
    skep.ok(
        "install", "skep/ratelimiting", "--yes", "--on", on, "--set=ports=80",
        "--before=port-filter",
    )  # fmt: skip
    listed = skep.ok("list", "--json").document["deployments"]
    assert isinstance(listed, list)
    mine = [one for one in listed if one["on"] == on]
    assert [one["name"] for one in mine] == ["ratelimiting", "port-filter"]
    assert {one["condition"] for one in mine} == {"running"}

    for _ in range(10):
        far_end.send(udp_frame(_path(interface), 9))
    chain = skep.ok("chain", on).out
    assert "port-filter  continues on: pass  seen 10  dropped 10" in chain

    skep.ok("set", "port-filter", "ports=7")
    for _ in range(10):
        far_end.send(udp_frame(_path(interface), 9))
    assert "seen 20  dropped 10" in skep.ok("chain", on).out

    moved = skep.ok("move", "port-filter", "--before", "ratelimiting", "--json").document
    assert moved["chain"] == ["port-filter", "ratelimiting"]
    assert "seen 20  dropped 10" in skep.ok("chain", on).out, "maps keep their content"

    content = skep.root / "content"
    for path in (content / "blobs" / "sha256").iterdir():
        path.unlink()
    (content / "index.json").write_text("{")
    shown = skep.ok("chain", on)
    assert "1 port-filter  continues on: pass  ?" in shown.out
    assert "cannot count port-filter" in shown.err
    assert "skep pull" in shown.err
    refused = skep("inspect", "skep/port-filter")
    assert (refused.code, "skep pull" in refused.err) == (3, True)
    for name in ("port-filter", "ratelimiting"):
        skep.ok("pull", f"skep/{name}")
    assert "seen 20  dropped 10" in skep.ok("chain", on).out

    skep.ok("remove", "port-filter")
    skep.ok("remove", "ratelimiting")
    assert xdp_program_id(ifindex(interface)) is None
    assert "no problems found" in skep.ok("doctor").out
