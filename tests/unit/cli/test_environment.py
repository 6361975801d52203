from pathlib import Path

from skep.cli.environment import read_environment


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
