"""Where a command finds its things, also without a home."""

import pwd
from pathlib import Path

import pytest

from skep.cli.environment import read_environment

NOBODY_KNOWN = 3_999_999_999


@pytest.mark.parametrize(
    ("variables", "root"),
    [
        pytest.param({"SKEP_ROOT": "/x"}, "/x", id="chosen"),
        pytest.param({"XDG_DATA_HOME": "/d", "HOME": "/h"}, "/d/skep", id="data-home"),
        pytest.param({"HOME": "/h"}, "/h/.local/share/skep", id="home"),
        pytest.param({}, "/.local/share/skep", id="nothing"),
        pytest.param({"HOME": "", "XDG_DATA_HOME": ""}, "/.local/share/skep", id="empty"),
    ],
)
def test_the_root_directory(variables: dict[str, str], root: str) -> None:
    assert read_environment(variables, NOBODY_KNOWN).root == Path(root)


def test_without_home_the_list_of_users_tells_it() -> None:
    user = next(one for one in pwd.getpwall() if one.pw_uid != 0)
    assert read_environment({}, user.pw_uid).root == Path(user.pw_dir) / ".local/share/skep"


def test_paths_are_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_environment({"XDG_DATA_HOME": "data"}, 1).root == tmp_path / "data" / "skep"


def test_roots_things_are_the_systems() -> None:
    environment = read_environment({"HOME": "/root"}, 0)
    assert environment.root == Path("/var/lib/skep")
    assert environment.node_marketplaces == Path("/var/lib/skep/marketplaces.toml")
    assert environment.user_marketplaces == Path("/root/.config/skep/marketplaces.toml")


def test_a_users_things_are_below_their_directories() -> None:
    variables = {"XDG_DATA_HOME": "/data", "XDG_CONFIG_HOME": "/config", "HOME": "/home/a"}
    environment = read_environment(variables, 1000)
    assert environment.root == Path("/data/skep")
    assert environment.user_marketplaces == Path("/config/skep/marketplaces.toml")


def test_no_marketplace_is_chosen_unless_somebody_does() -> None:
    assert read_environment({}, 0).marketplace == ""
    assert read_environment({"SKEP_MARKETPLACE": "public"}, 0).marketplace == "public"
