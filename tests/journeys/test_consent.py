"""Nothing runs that nobody agreed to, on a terminal or off; nothing that runs is stopped."""

import json
import os
import re
import shlex
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders.attaching import xdp_program_id
from tests.builders.commands import Skep
from tests.builders.terminals import CONTROL_C, CONTROL_D

from skep.kernel.interfaces import ifindex

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="attaching programs needs root"),
]
REF = "skep/port-filter:1.0.0"
IDS = {"net.drop", "net.read", "data.state"}


@pytest.fixture
def on(interface: str, skep: Skep) -> Iterator[str]:
    """A hook target; what a test left on it is removed."""
    yield f"xdp:{interface}"
    for one in deployments(skep):
        skep.ok("remove", one["name"])


def deployments(skep: Skep) -> list[dict[str, object]]:
    found = skep.ok("list", "--json").document["deployments"]
    assert isinstance(found, list)
    return found


def consent(skep: Skep) -> dict[str, object] | None:
    (found,) = (one["consent"] for one in deployments(skep))
    assert found is None or isinstance(found, dict)
    return found


def nothing_runs(skep: Skep, on: str) -> bool:
    return deployments(skep) == [] and xdp_program_id(ifindex(on.partition(":")[2])) is None


def edit(skep: Skep, *queries: str) -> None:
    """Change the database behind Skep's back."""
    connection = sqlite3.connect(skep.root / "node.db")
    with connection:
        for query in queries:
            connection.execute(query)
    connection.close()


# Without a terminal


@pytest.mark.parametrize("option", [(), ("--json",), ("--quiet",)], ids=["plain", "json", "quiet"])
def test_without_a_terminal_installing_needs_yes(
    skep: Skep, on: str, option: tuple[str, ...]
) -> None:
    ran = skep("install", REF, "--on", on, "--set", "ports=9, 10", *option)
    assert ran.code == 11
    assert "error: installing needs consent, and this is not a terminal" in ran.err
    assert "Can drop packets" in ran.err
    assert nothing_runs(skep, on)
    (hint,) = re.findall(r"^hint:  (skep .*)$", ran.err, re.MULTILINE)
    assert shlex.split(hint)[1:] == [
        "install", REF, "--on", on, "--set", "ports=9, 10", *option, "--yes",
    ]  # fmt: skip
    if option == ("--json",):
        error = ran.document["error"]
        assert isinstance(error, dict)
        assert (error["family"], error["hint"]) == ("consent", hint)
    skep.ok(*shlex.split(hint)[1:])
    assert len(deployments(skep)) == 1


def test_what_was_agreed_to_is_listed(skep: Skep, on: str) -> None:
    ran = skep.ok("install", REF, "--on", on, "--yes", "--json")
    stored = consent(skep)
    assert stored == ran.document["consent"]
    assert stored is not None
    assert stored["how"] == "yes"
    assert stored["person"]
    assert stored["digest"] == deployments(skep)[0]["digest"]
    permissions = stored["permissions"]
    assert isinstance(permissions, list)
    assert {each["id"] for each in permissions} >= IDS
    assert all(set(each) == {"id", "scope", "confidence", "severity"} for each in permissions)


def test_somebody_who_cannot_see_the_question_is_not_asked(skep: Skep, on: str) -> None:
    seen = skep.at_terminal("install", REF, "--on", on, keys="y\n", errors_elsewhere=True)
    assert seen.code == 11
    assert nothing_runs(skep, on)


# On a terminal


@pytest.mark.parametrize("option", [(), ("--quiet",), ("--json",)], ids=["plain", "quiet", "json"])
def test_on_a_terminal_the_label_is_shown_and_the_question_asked(
    skep: Skep, on: str, option: tuple[str, ...]
) -> None:
    seen = skep.at_terminal("install", REF, "--on", on, *option, keys="y\n", out_elsewhere=True)
    assert seen.code == 0, seen.screen
    assert f"drop packets on {on.partition(':')[2]}" in seen.screen
    assert "Install? [y/N]" in seen.screen
    stored = consent(skep)
    assert stored is not None
    assert stored["how"] == "question"
    if option == ("--json",):
        assert json.loads(seen.out)["consent"] == stored
    if option == ("--quiet",):
        assert seen.out == ""


@pytest.mark.parametrize(
    ("option", "keys", "code"),
    [
        pytest.param((), "n\n", 11, id="no"),
        pytest.param((), "\n", 11, id="nothing"),
        pytest.param((), "yess\n", 11, id="anything-else"),
        pytest.param((), CONTROL_D, 11, id="end-of-input"),
        pytest.param((), CONTROL_C, 130, id="control-c"),
        pytest.param(("--json", "--quiet"), "n\n", 11, id="no-json-quiet"),
        pytest.param(("--json", "--quiet"), CONTROL_C, 130, id="control-c-json-quiet"),
    ],
)
def test_what_is_not_yes_changes_nothing(
    skep: Skep, on: str, option: tuple[str, ...], keys: str, code: int
) -> None:
    seen = skep.at_terminal("install", REF, "--on", on, *option, keys=keys)
    assert seen.code == code, seen.screen
    assert "Traceback" not in seen.screen
    assert nothing_runs(skep, on)
    connection = sqlite3.connect(skep.root / "node.db")
    latest = connection.execute("SELECT outcome FROM consents ORDER BY number DESC LIMIT 1")
    assert latest.fetchone() == ("refused",)
    connection.close()


def test_yes_is_not_asked(skep: Skep, on: str) -> None:
    seen = skep.at_terminal("install", REF, "--on", on, "--yes", keys="")
    assert seen.code == 0, seen.screen
    assert f"drop packets on {on.partition(':')[2]}" in seen.screen
    assert "[y/N]" not in seen.screen


def publish_critical(skep: Skep, project: Path) -> None:
    """A package that copies traffic to another interface."""
    fixtures = Path(__file__).resolve().parents[2] / "bpf" / "fixtures"
    project.mkdir()
    for name in ("may_net_mirror.bpf.c", "fixture.h"):
        shutil.copy(fixtures / name, project / name)
    (project / "skep.toml").write_text(
        '[package]\nname = "skep/mirror"\nversion = "1.0.0"\nsummary = "Copies traffic"\n'
        'licence = "GPL-2.0-only"\n[build]\nsources = ["may_net_mirror.bpf.c"]\n'
        '[[program]]\nname = "shows"\nhook = "tcx-ingress"\n'
    )
    layout = skep.ok("build", project, "--json").document["layout"]
    skep.ok("sign", layout, "--key", "author")
    skep.ok("publish", layout)


def test_what_is_critical_is_agreed_to_by_typing_the_name(
    skep: Skep, on: str, tmp_path: Path
) -> None:
    publish_critical(skep, tmp_path / "mirror")
    install = ("install", "skep/mirror", "--on", on.replace("xdp", "tcx-ingress"))
    seen = skep.at_terminal(*install, keys="y\n")
    assert seen.code == 11, seen.screen
    assert "net.mirror  critical" in seen.screen
    assert "type skep/mirror to install:" in seen.screen
    assert "[y/N]" not in seen.screen
    assert deployments(skep) == []
    seen = skep.at_terminal(*install, keys="skep/mirror\n")
    assert seen.code == 0, seen.screen
    stored = deployments(skep)[0]["consent"]
    assert isinstance(stored, dict)
    assert stored["how"] == "question"


# Changing what runs


def agree_to_less(skep: Skep) -> None:
    """As if an older analyser had found one permission less."""
    edit(
        skep,
        "INSERT INTO consents (at, outcome, deployment, reference, digest, person, how, taxonomy,"
        " shown, package) SELECT at, outcome, deployment, reference, digest, person, how, taxonomy,"
        " (SELECT json_group_array(json(value)) FROM json_each(shown)"
        "  WHERE json_extract(value, '$[0]') != 'net.read'),"
        " (SELECT json_group_array(json(value)) FROM json_each(package)"
        "  WHERE json_extract(value, '$[0]') != 'net.read')"
        " FROM consents WHERE number = (SELECT consent FROM deployments)",
        "UPDATE deployments SET consent = (SELECT max(number) FROM consents)",
    )


def test_more_than_was_agreed_to_needs_yes_or_an_answer(skep: Skep, on: str) -> None:
    change = ("set", "port-filter", "ports=7")
    skep.ok("install", REF, "--on", on, "--yes")
    agree_to_less(skep)
    before = deployments(skep)
    running = xdp_program_id(ifindex(on.partition(":")[2]))

    ran = skep(*change)
    assert ran.code == 11
    assert "port-filter may do more than was agreed to: net.read" in ran.err
    assert "new: Can read packet contents" in ran.err
    assert "net.drop" not in ran.err
    assert f"hint:  {shlex.join(['skep', *change, '--yes'])}" in ran.err
    assert skep.at_terminal(*change, keys="n\n").code == 11
    assert deployments(skep) == before
    assert xdp_program_id(ifindex(on.partition(":")[2])) == running
    assert "more than was agreed to: net.read" in skep.ok("doctor").out

    seen = skep.at_terminal(*change, "--json", keys="y\n", out_elsewhere=True)
    assert seen.code == 0, seen.screen
    assert json.loads(seen.out)["name"] == "port-filter"
    assert "read packet contents" in seen.screen
    assert "net.read  new" in seen.screen
    assert "drop packets" not in seen.screen
    skep.ok(*change)
    assert "no problems found" in skep.ok("doctor").out


def test_yes_tells_what_it_agreed_to(skep: Skep, on: str) -> None:
    skep.ok("install", REF, "--on", on, "--yes")
    agree_to_less(skep)
    foreseen = skep.ok("set", "port-filter", "ports=7", "--dry-run")
    ran = skep.ok("set", "port-filter", "ports=7", "--yes")
    for each in (foreseen, ran):
        assert "port-filter may do more than was agreed to: net.read" in each.err
        assert "net.read  new" in each.err
    stored = consent(skep)
    assert stored is not None
    assert stored["how"] == "yes"


def test_installing_beside_one_that_exceeds_asks_about_both(skep: Skep, on: str) -> None:
    skep.ok("install", REF, "--on", on, "--yes")
    agree_to_less(skep)
    seen = skep.at_terminal("install", "skep/ratelimiting", "--on", on, keys="y\n")
    assert seen.code == 0, seen.screen
    assert "port-filter may do more than was agreed to: net.read" in seen.screen
    assert "no problems found" in skep.ok("doctor").out


def test_what_was_installed_before_consent_was_stored_runs_and_is_asked_about_once(
    skep: Skep, on: str
) -> None:
    skep.ok("install", REF, "--on", on, "--yes")
    edit(skep, "UPDATE deployments SET consent = NULL")
    assert consent(skep) is None
    assert "before consent was stored" in skep.ok("doctor").out
    assert deployments(skep)[0]["condition"] == "running"
    assert skep("move", "port-filter", "--order", "3").code == 11
    skep.ok("move", "port-filter", "--order", "3", "--yes")
    skep.ok("set", "port-filter", "ports=8")
    assert consent(skep) is not None
    edit(skep, "UPDATE deployments SET consent = NULL")
    skep.ok("remove", "port-filter")


def test_a_node_of_the_version_before_is_listed_without_a_write(skep: Skep, tmp_path: Path) -> None:
    from tests.builders.databases import restore

    root = tmp_path / "old"
    root.mkdir(mode=0o700)
    path = restore("node-1", root / "node.db")
    before = path.read_bytes()
    listed = Skep(root, skep.url).ok("list", "--json").document["deployments"]
    assert isinstance(listed, list)
    assert [one["name"] for one in listed] == ["ratelimiting", "port-filter", "second"]
    assert path.read_bytes() == before
