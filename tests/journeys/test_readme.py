"""Somebody reads the README and the first page of the documentation, and types what is there."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.builders.pages import Step, differs, steps_of, terminal, walk_page

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "docs" / "getting-started.md")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="attaching programs needs root")

# Temporary folders of pages are there, in a mount of their own: lines with longer paths would wrap.
_SHORT = "/var/tmp"  # noqa: S108 - empty and private in there


@pytest.fixture
def variables(tmp_path: Path) -> Mapping[str, str]:
    """The environment of somebody who has never used Skep; what they keep is below ``tmp_path``."""
    # SKEP_PYTHON and HOME choose a Python; with another one, ``./dev setup`` would begin anew.
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("SKEP_", "XDG_")) or key == "SKEP_PYTHON"
    }
    folders = {
        name: tmp_path / name.lower() for name in ("SKEP_ROOT", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    }
    for folder in folders.values():
        folder.mkdir()
    named = {name: str(folder) for name, folder in folders.items()}
    return {**kept, **named, "TMPDIR": _SHORT, "HISTFILE": "", "LANG": "C.UTF-8"}


# As process 1 of a machine of its own: what is mounted, named or started there ends with it.
_MACHINE = """
set -e
mkdir -p /run/netns
mount -t tmpfs none /run/netns
mount -t tmpfs none /var/tmp
ip link set lo up
ip link add eth0 type veth peer name far
ip link set eth0 up
ip link set far up
exec "$@"
"""
MACHINE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
           "sh", "-c", _MACHINE, "machine")  # fmt: skip


@needs_root
@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_works_from_top_to_bottom_as_written(
    page: Path, variables: Mapping[str, str]
) -> None:
    with terminal(ROOT, variables, MACHINE) as at:
        problems = walk_page(page, at)
    assert not problems, "\n\n".join([*problems, "if that is right: ./dev pages"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_in_a_block_that_is_run(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [*steps_of(text)]
    blocks = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    assert [content for kind, content in blocks if kind == "" or kind in {"sh", "bash"}] == []


def test_a_page_is_read_as_commands_and_what_they_show() -> None:
    text = "# Page\n```console\n$ one \\\n  two\nshown\n\n$ three\n```\n```toml\n$ no\n```\n"
    assert [*steps_of(text)] == [Step(4, "one \\\n  two", ("shown",)), Step(7, "three", ())]


@pytest.mark.parametrize(
    ("expected", "came", "is_other"),
    [
        pytest.param(["took 0.1 s"], ["took 17 s"], False, id="number"),
        pytest.param(["took 1 s"], ["takes 1 s"], True, id="word"),
        pytest.param(["sha256:ab12"], ["sha256:99ff"], False, id="digest"),
        pytest.param(["in /tmp/tmp.a1/x"], ["in /var/tmp/tmp.Zz/x"], False, id="temporary-path"),
        pytest.param(["a", "…", "d"], ["a", "b", "c", "d"], False, id="left-out"),
        pytest.param(["a", "…", "d"], ["a", "b", "c"], True, id="left-out-but-no-end"),
        pytest.param(["a"], ["a", "b"], True, id="more-than-shown"),
        pytest.param(["a", "b"], ["a"], True, id="less-than-shown"),
        pytest.param(["Go? [y/N] y", "done"], ["Go? [y/N] y", "done"], False, id="answer"),
    ],
)
def test_what_may_differ_from_a_page(
    expected: list[str], came: list[str], *, is_other: bool
) -> None:
    assert differs(expected, came) is is_other
