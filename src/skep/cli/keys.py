"""``skep keys``: signing keys of this user, and the publishers' keys this node trusts."""

from pathlib import Path

import click

from skep.cli import live_names
from skep.cli.context import invocation
from skep.cli.options import PATH, CommandGroup, argument, json_option, quiet_option, yes_option
from skep.json_documents import schema_id


@click.group("keys", cls=CommandGroup)
def command() -> None:
    """Manage your signing keys and the keys you trust."""


@command.command("create", examples=("skep keys create", "skep keys create work"))
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
        {
            "schema": schema_id("keys-create"),
            "name": name,
            "fingerprint": key.fingerprint,
            "public_key": str(public),
        },
        lambda: [
            f"created key {name}  {key.fingerprint}",
            f"public key, to give to others: {public}",
        ],
    )


@command.command("list", examples=("skep keys list",))
@json_option
@quiet_option
def list_keys(*, json: bool, quiet: bool) -> None:
    """List your signing keys and the keys you trust."""
    from skep.cli.key_lists import key_document, key_lines
    from skep.cli.keyring import KeyRing
    from skep.node.verified.trust_store import TrustStore

    run = invocation(json=json, quiet=quiet)
    ring, store = KeyRing(run.environment.keys), TrustStore(run.environment.trust)
    own = {name: ring.public(name).fingerprint for name in ring.names()}
    trusted = [key for publisher in store.publishers() for key in store.trusted(publisher)]
    run.output.emit(key_document(own, trusted), lambda: key_lines(own, trusted))


@command.command(
    "trust", examples=("skep keys trust skep --from public", "skep keys trust skep skep.pub")
)
@argument(
    "publisher", help="Publisher: the part before the slash.", shell_complete=live_names.publishers
)
@argument("file", type=PATH, required=False, help="File with the public key (PEM).")
@click.option(
    "--from",
    "place",
    metavar="MARKETPLACE",
    help="Ask a marketplace for its keys.",
    shell_complete=live_names.marketplaces,
)
@click.option("--fingerprint", metavar="SHA256:…", help="Full fingerprint of the key to trust.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask; with --from, add --fingerprint.")
@json_option
@quiet_option
def trust(
    *,
    publisher: str,
    file: Path | None,
    place: str | None,
    fingerprint: str | None,
    yes: bool,
    json: bool,
    quiet: bool,
) -> None:
    """Trust a publisher's key on this node, so that its packages may run."""
    from skep.cli.trusting import trust_file, trust_from
    from skep.errors import UsageError

    run = invocation(json=json, quiet=quiet)
    if (file is None) == (place is None):
        raise UsageError(
            "expected a FILE with the key or --from MARKETPLACE, got "
            + ("both" if file is not None else "neither"),
            hint=f"skep keys trust {publisher} --from MARKETPLACE",
        )
    if place is not None:
        trust_from(publisher, place, fingerprint, run, yes=yes)
    elif file is not None:
        trust_file(publisher, file, fingerprint, run)


@command.command("untrust", examples=("skep keys untrust skep",))
@argument(
    "publisher", help="Publisher: the part before the slash.", shell_complete=live_names.publishers
)
@argument(
    "fingerprint",
    required=False,
    metavar="[SHA256:…]",
    help="One key. Default: all.",
    shell_complete=live_names.fingerprints,
)
@json_option
@quiet_option
def untrust(*, publisher: str, fingerprint: str | None, json: bool, quiet: bool) -> None:
    """Stop trusting a publisher's keys; running programs keep running."""
    from skep.errors import Misnamed
    from skep.node.verified.trust_store import NoSuchKey, TrustStore

    run = invocation(json=json, quiet=quiet)
    store = TrustStore(run.environment.trust)
    gone = (fingerprint,) if fingerprint is not None else store.fingerprints(publisher)
    if not gone:
        raise NoSuchKey(
            f"no key of {publisher} is trusted here",
            hint="skep keys list",
            misnamed=Misnamed(publisher, tuple(store.publishers())),
        )
    for one in gone:
        store.remove(publisher, one)
    run.output.emit(
        {"schema": schema_id("keys-untrust"), "publisher": publisher, "fingerprints": [*gone]},
        lambda: [
            *(f"no longer trusted for {publisher}: {one}" for one in gone),
            "programs that run keep running; they are refused when they are next loaded",
        ],
    )


@command.command("remove", examples=("skep keys remove work",))
@argument("name", help="Name of a key of yours.", shell_complete=live_names.own_keys)
@yes_option
@json_option
@quiet_option
def remove(*, name: str, yes: bool, json: bool, quiet: bool) -> None:
    """Delete a signing key of yours, for good."""
    from skep.cli.keyring import KeyRing
    from skep.cli.questions import ask, is_terminal
    from skep.errors import NeedsConsent

    run = invocation(json=json, quiet=quiet)
    ring = KeyRing(run.environment.keys)
    ring.require(name)
    if not yes:
        if not is_terminal():
            raise NeedsConsent(
                "a deleted key cannot be made again, and this is not a terminal",
                hint=run.repeated("--yes"),
            )
        if not ask(f"Delete the key {name}? It cannot be made again.", run.output):
            raise NeedsConsent("consent was refused; nothing was changed")
    fingerprint = ring.remove(name)
    run.output.emit(
        {"schema": schema_id("keys-remove"), "name": name, "fingerprint": fingerprint},
        lambda: [f"deleted key {name}  {fingerprint}".rstrip()],
    )
