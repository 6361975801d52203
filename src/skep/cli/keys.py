"""``skep keys``: signing keys of this user, and the publishers' keys this node trusts."""

from pathlib import Path

import click

from skep.cli.context import invocation
from skep.cli.options import PATH, Group, argument, json_option, quiet_option
from skep.cli.output import table


@click.group("keys", cls=Group)
def command() -> None:
    """Make signing keys, and say whose keys to trust."""


@command.command("create")
@argument("name", default="default", help="Name of the new key.")
@json_option
@quiet_option
def create(*, name: str, json: bool, quiet: bool) -> None:
    """Make a signing key (P-256) that stays on this machine."""
    from skep.cli.keyring import KeyRing

    run = invocation(json=json, quiet=quiet)
    ring = KeyRing(run.environment.keys)
    key = ring.create(name)
    public = ring.directory / f"{name}.pub"
    run.output.emit(
        {"name": name, "fingerprint": key.fingerprint, "public_key": str(public)},
        lambda: [
            f"made key {name}  {key.fingerprint}",
            f"its public half, to give to others: {public}",
        ],
    )


@command.command("list")
@json_option
@quiet_option
def list_keys(*, json: bool, quiet: bool) -> None:
    """List own keys and trusted keys."""
    from skep.cli.keyring import KeyRing
    from skep.node.verified.trust_store import TrustStore

    run = invocation(json=json, quiet=quiet)
    ring = KeyRing(run.environment.keys)
    own = [(name, ring.public(name).fingerprint) for name in ring.names()]
    trusted = [
        (publisher, key.fingerprint)
        for publisher, keys in TrustStore(run.environment.trust).publishers().items()
        for key in keys
    ]
    rows = [["own", *row] for row in own] + [["trusted", *row] for row in trusted]
    run.output.emit(
        {
            "own": [{"name": name, "fingerprint": text} for name, text in own],
            "trusted": [{"publisher": name, "fingerprint": text} for name, text in trusted],
        },
        lambda: table(rows, ["", "name", "fingerprint"]) if rows else ["no keys yet"],
    )


@command.command("trust")
@argument("publisher", help="Publisher: the part before the slash.")
@argument("public_key", type=PATH, help="File with the public key (PEM).")
@json_option
@quiet_option
def trust(*, publisher: str, public_key: Path, json: bool, quiet: bool) -> None:
    """Trust a publisher's key on this node: packages signed with it may run."""
    from skep.cli.files import read_file
    from skep.node.verified.trust_store import TrustStore
    from skep.trust.keys import PublicKey

    run = invocation(json=json, quiet=quiet)
    key = PublicKey.from_pem(read_file(public_key, "a public key"))
    TrustStore(run.environment.trust).add(publisher, key)
    run.output.emit(
        {"publisher": publisher, "fingerprint": key.fingerprint},
        lambda: [f"trusted for {publisher}/…: {key.fingerprint}"],
    )
