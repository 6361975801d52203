"""What Tab offers: names that are known here, fast, and never an error."""

import fcntl
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from tests.builders.commands import COMMAND, Skep
from tests.builders.deployments import deployment
from tests.builders.packages import metadata_toml, package, put_package

from skep.cli.completing import COMPLETE
from skep.cli.main import app
from skep.node.records import Installed
from skep.node.store.state import SqliteState
from skep.packages.local.content_store import ContentStore

AT = "2026-11-23T08:00:00Z"
RATE = '[settings.rate]\ntype = "u32"\nmap = "config"\ndefault = "5"\n'
PORTS = '[settings.ports]\ntype = "set[port]"\nmap = "ports"\n'


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node with a deployment and a key, a stored package, and a marketplace."""
    root = tmp_path / "root"
    for folder in ("keys", "trust/lab", "content"):
        (root / folder).mkdir(parents=True)
    (root / "keys" / "work.key").touch()
    (root / "trust" / "lab" / f"{'9f' * 32}.pem").touch()
    made = package(toml=metadata_toml(more=RATE + PORTS))
    stored = put_package(ContentStore(root / "content"), made)
    with SqliteState(root / "node.db") as state:
        one = deployment(
            "limit", on="xdp:eth7", digest=str(stored.digest), settings=(("rate", "7"),)
        )
        others = [deployment("other", on="xdp:eth7"), deployment("inner", on="xdp:eth7@blue")]
        others.append(deployment("elsewhere", on="xdp:eth8"))
        all_of_them = [Installed(each, AT) for each in (one, *others)]
        state.commit(state.begin("install", [], AT), all_of_them, AT)
    (root / "skep").mkdir()
    (root / "skep" / "marketplaces.toml").write_text(
        'version = 1\n[marketplaces.public]\nurl = "https://market.example"\n'
    )
    monkeypatch.setenv("SKEP_ROOT", str(root))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(root))
    return root


def offered(*words: str) -> list[str]:
    *before, incomplete = words
    shell = ShellComplete(app, {}, "skep", COMPLETE)
    return [str(item.value) for item in shell.get_completions(before, incomplete)]


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("words", "names"),
    [
        pytest.param("remove|l", ["limit"], id="deployments"),
        pytest.param("move|other|--before|", ["limit"], id="others-of-its-chain"),
        pytest.param("move|inner|--after|", [], id="nobody-in-its-chain"),
        pytest.param("install|a/b|--on|xdp:eth7@host|--after|", ["limit", "other"], id="chain"),
        pytest.param("install|a/b|--on=xdp:eth7@blue|--before|", ["inner"], id="chain-elsewhere"),
        pytest.param(
            "install|a/b|--on|xdp:eth7|--before|", ["inner", "limit", "other"], id="either-chain"
        ),
        pytest.param("install|a/b|--on|xdp:lo|--before|", [], id="no-chain"),
        pytest.param("install|a/b|--before|o", ["other"], id="any-chain"),
        pytest.param("chain|xdp:eth8", ["xdp:eth8"], id="declared-targets"),
        pytest.param("remove|--on|xdp:eth8", ["xdp:eth8"], id="declared-targets-of-an-option"),
        pytest.param("install|", ["skep/limiter", "skep/limiter:1.2.0"], id="packages"),
        pytest.param("verify|skep/l", ["skep/limiter", "skep/limiter:1.2.0", "skep/l"], id="files"),
        pytest.param("sign|.|--key|", ["work"], id="keys"),
        pytest.param("keys|trust|", ["lab", "skep"], id="publishers"),
        pytest.param("keys|untrust|lab|", [f"SHA256:{'9f' * 32}"], id="fingerprints"),
        pytest.param("search|a|--marketplace|", ["public"], id="marketplaces"),
        pytest.param("install|skep/limiter|--set|", ["ports=", "rate=5"], id="settings"),
        pytest.param("install|skep/limiter|--name|x|--set|p", ["ports="], id="settings-and-name"),
        pytest.param("set|limit|r", ["rate=5"], id="settings-of-a-deployment"),
        pytest.param("set|limit|--reset|", ["rate"], id="settings-that-were-chosen"),
        pytest.param("install|skep/limiter|--program|", ["prog"], id="programs"),
        pytest.param("inspect|a.o|--why|net.dr", ["net.drop"], id="permissions"),
        pytest.param("completion|z", ["zsh"], id="choices"),
        pytest.param("help|inst", ["install"], id="commands-to-explain"),
        pytest.param("help|keys|t", ["trust"], id="subcommands-to-explain"),
    ],
)
def test_tab_offers_names_that_are_known_here(words: str, names: list[str]) -> None:
    assert offered(*words.split("|")) == names


def test_tab_offers_every_hook_on_every_interface() -> None:
    assert "xdp:lo" in offered("install", "a/b", "--on", "")
    assert offered("install", "a/b", "--on", "tcx-ingress:lo") == ["tcx-ingress:lo"]


def test_tab_asks_nobody_and_waits_for_nobody(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_socket(*_: object, **__: object) -> None:
        raise AssertionError("completion opened a socket")

    monkeypatch.setattr(socket, "socket", no_socket)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a change is being made
        assert offered("remove", "l") == ["limit"]
        assert offered("install", "a/b", "--on", "xdp:eth7@host", "--after", "l") == ["limit"]
    assert offered("install", "") == ["skep/limiter", "skep/limiter:1.2.0"]


@pytest.mark.parametrize("words", ["remove|", "install|", "set|limit|", "keys|trust|", "chain|"])
def test_tab_offers_nothing_where_nothing_can_be_read(root: Path, words: str) -> None:
    for name in ("node.db", "content/index.json", "skep/marketplaces.toml"):
        (root / name).write_bytes(b"\x00damaged")
    shutil.rmtree(root / "trust")
    (root / "trust").write_text("not a folder")
    assert offered(*words.split("|")) == []


def test_an_answer_to_a_shell_has_no_errors(tmp_path: Path) -> None:
    for words in ("skep nonsense ", "skep install 'a", ""):
        finished = subprocess.run(
            COMMAND,
            env=Skep(tmp_path).variables
            | {COMPLETE: "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "2"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.stderr == ""
        assert "Traceback" not in finished.stdout


@pytest.mark.parametrize(
    ("words", "left"),
    [
        pytest.param(("chain", "xdp", ":"), "eth7 eth7@blue eth8", id="after-a-colon"),
        pytest.param(("chain", "xdp", ":", "eth8"), "eth8", id="half-a-target"),
        pytest.param(("chain", "xd"), "xdp:eth7 xdp:eth7@blue xdp:eth8", id="half-a-hook"),
        pytest.param(
            ("remove", "--on", "=", "xdp", ":", ""),
            "eth7 eth7@blue eth8",
            id="option-in-one-word",
        ),
        pytest.param(("set", "limit", "rate", "="), "5", id="after-an-equals-sign"),
        pytest.param(("install", "skep/limiter", ":", "1"), "1.2.0", id="version"),
    ],
)
def test_bash_gets_what_follows_the_break(root: Path, words: tuple[str, ...], left: str) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash on this machine")
    typed = " ".join(f"'{word}'" for word in ("skep", *words))
    (root / "skep-here").write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    (root / "skep-here").chmod(0o700)
    script = (
        f'eval "$({root}/skep-here completion bash)"; COMP_WORDS=({typed});'
        f"COMP_CWORD={len(words)}; _skep_completion {root}/skep-here;"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    finished = subprocess.run(
        [bash, "-c", script], env=os.environ, capture_output=True, text=True, check=True
    )
    assert finished.stdout.split() == left.split()
