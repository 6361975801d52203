"""``skep marketplace``: names for places to ask, of this user and of this node."""

from pathlib import Path

import click

from skep.cli import live_names
from skep.cli.context import Invocation, as_root, invocation
from skep.cli.options import CommandGroup, argument, json_option, quiet_option, wide_option
from skep.json_documents import schema_id

node_option = click.option("--node", is_flag=True, help="For all users of this node, not just you.")


@click.group("marketplace", cls=CommandGroup)
def command() -> None:
    """Manage the marketplaces you use."""


@command.command("add", examples=("skep marketplace add public https://market.example",))
@argument("name", help="For example public.")
@argument("url", help="https://…, or http://… on this machine.")
@node_option
@json_option
@quiet_option
def add(*, name: str, url: str, node: bool, json: bool, quiet: bool) -> None:
    """Add a marketplace; the first one becomes the default."""
    from skep.cli.asking import known_marketplaces
    from skep.packages.local.marketplaces import Configuration, change_configuration

    run = invocation(json=json, quiet=quiet)
    path = _path(run, node=node)
    known = known_marketplaces(run.environment)
    is_first = not (known.node.default if node else known.user.default or known.node.default)
    is_new: list[bool] = []

    def change(before: Configuration) -> Configuration:
        after = before.adding(name, url)
        is_new.append(name not in before.urls)
        return after.defaulting(name) if is_first and is_new[0] else after

    after = change_configuration(path, change)
    _emit(run, name, after.urls[name], node=node, changed=is_new[0], default=after.default)


@command.command("list", examples=("skep marketplace list",))
@json_option
@quiet_option
@wide_option
def list_marketplaces(*, json: bool, quiet: bool, wide: bool) -> None:
    """List the marketplaces that are known here."""
    from skep.cli.asking import known_marketplaces
    from skep.cli.tables import table
    from skep.packages.local.marketplaces import Marketplace, UnknownMarketplace

    run = invocation(json=json, quiet=quiet, wide=wide)
    known = known_marketplaces(run.environment)
    try:
        default = known.default()
    except UnknownMarketplace as error:
        run.output.warn(f"the default is unknown: {error.message}")
        default = Marketplace("", is_chosen=False)
    entries: list[dict[str, object]] = [
        {"name": name, "url": url, "for": who, "is_default": default.name == name}
        for who, configuration in (("user", known.user), ("node", known.node))
        for name, url in configuration.urls.items()
        if who == "user" or name not in known.user.urls  # the user's wins
    ]
    rows = [
        [str(one["name"]), str(one["url"]), f"{one['for']}{', default' * bool(one['is_default'])}"]
        for one in entries
    ]

    def lines() -> list[str]:
        told = (
            table(rows, ["name", "url", "scope"], run.output.surface(), gives_way="url")
            if rows
            else ["no marketplaces configured"]
        )
        if known.chosen and default.url:
            return [*told, f"default: {default}, by SKEP_MARKETPLACE"]
        return told

    run.output.emit(
        {
            "schema": schema_id("marketplace-list"),
            "default": {
                "name": default.name,
                "url": default.url,
                "is_chosen": default.is_chosen,
                "is_from_environment": bool(known.chosen),
            },
            "marketplaces": entries,
        },
        lines,
    )


@command.command("remove", examples=("skep marketplace remove public",))
@argument("name", help="Name of the marketplace.", shell_complete=live_names.marketplaces)
@node_option
@json_option
@quiet_option
def remove(*, name: str, node: bool, json: bool, quiet: bool) -> None:
    """Forget a marketplace; what was pulled from it stays."""
    from skep.cli.asking import known_marketplaces
    from skep.packages.local.marketplaces import change_configuration, read_configuration

    run = invocation(json=json, quiet=quiet)
    path = _path(run, node=node)
    url = read_configuration(path).urls.get(name, "")
    after = change_configuration(path, lambda before: before.removing(name))
    _emit(run, name, url, node=node, changed=True, default=after.default, is_removed=True)
    left = known_marketplaces(run.environment)
    if left.names and not (left.user.default or left.node.default):
        run.output.note(
            f"no marketplace is the default now: skep marketplace default {left.names[0]}"
        )


@command.command("default", examples=("skep marketplace default public",))
@argument("name", help="Name of the marketplace.", shell_complete=live_names.marketplaces)
@node_option
@json_option
@quiet_option
def default(*, name: str, node: bool, json: bool, quiet: bool) -> None:
    """Set the default marketplace."""
    from dataclasses import replace

    from skep.cli.asking import known_marketplaces
    from skep.packages.local.marketplaces import Configuration, change_configuration

    run = invocation(json=json, quiet=quiet)
    path = _path(run, node=node)
    known = known_marketplaces(run.environment)
    # A node's default must not depend on whose command it is.
    found = (replace(known, user=Configuration(known.user.path)) if node else known).named(name)
    changed = (known.node if node else known.user).default != name
    after = change_configuration(path, lambda before: before.defaulting(name))
    _emit(run, name, found.url, node=node, changed=changed, default=after.default)
    if run.environment.marketplace:
        run.output.warn("SKEP_MARKETPLACE is set and wins over it")


def _path(run: Invocation, *, node: bool) -> Path:
    """The file that is changed.

    Raises:
        NotPermitted: the node's, and the user is not root.
    """
    from skep.errors import NotPermitted

    if node and not run.environment.is_root:
        raise NotPermitted("the node's marketplaces are root's to change", hint=as_root())
    return run.environment.node_marketplaces if node else run.environment.user_marketplaces


def _emit(
    run: Invocation,
    name: str,
    url: str,
    *,
    node: bool,
    changed: bool,
    default: str,
    is_removed: bool = False,
) -> None:
    what = "removed" if is_removed else "unchanged" if not changed else "saved"
    is_default = default == name and not is_removed
    run.output.emit(
        {
            "schema": schema_id("marketplace"),
            "name": name,
            "url": url,
            "for": "node" if node else "user",
            "is_default": is_default,
            "is_removed": is_removed,
            "changed": changed,
        },
        lambda: [f"{what}: {name}  {url}{'  (default)' if is_default else ''}"],
    )
