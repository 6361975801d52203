"""``skep keys``: signing keys of this user, and the publishers' keys this node trusts."""

from pathlib import Path
from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, invocation
from skep.cli.output import table

app = typer.Typer(help="Make signing keys, and say whose keys to trust.", no_args_is_help=True)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Name of the new key.")] = "default",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
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


@app.command("list")
def list_keys(json: JsonOption = False, quiet: QuietOption = False) -> None:
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


@app.command("trust")
def trust(
    publisher: Annotated[str, typer.Argument(help="Publisher: the part before the slash.")],
    public_key: Annotated[Path, typer.Argument(help="File with the public key (PEM).")],
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
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
