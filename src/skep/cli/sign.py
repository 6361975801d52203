"""``skep sign``: a Sigstore bundle over a built package, kept beside it."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from skep.cli import live_names
from skep.cli.context import invocation
from skep.cli.environment import Environment
from skep.cli.options import PATH, Command, argument, json_option, quiet_option, wide_option
from skep.clock import system_clock
from skep.errors import Malformed, Untrusted
from skep.json_documents import schema_id


@dataclass(frozen=True, slots=True)
class Signed:
    """A package that is signed now.

    Attributes:
        reference: ``publisher/name:version``.
        digest: of its manifest.
        fingerprint: of the key.
        changed: it was not signed with this key before.
    """

    reference: str
    digest: str
    fingerprint: str
    changed: bool


def sign_layout(layout: Path, key: str, environment: Environment, now: datetime) -> Signed:
    """Sign the package of an OCI layout, unless this key has signed it already."""
    from skep.cli.keyring import KeyRing
    from skep.cli.locating import open_layout
    from skep.packages.local.bundles import store_bundle, stored_bundles
    from skep.trust.bundles import sign
    from skep.trust.statements import Subject
    from skep.trust.verifying import RequireKey, verify

    signer = KeyRing(environment.keys).signer(key)
    found = open_layout(layout)
    digest = found.descriptor.digest
    subject = Subject(found.name, digest)
    is_signed = False
    with suppress(Untrusted, Malformed):  # without a good signature of this key, it signs
        bundles = stored_bundles(found.store, digest)
        verify(subject, bundles, RequireKey((signer.public_key,)), now)
        is_signed = True
    if not is_signed:
        store_bundle(found.store, found.descriptor, sign(subject, signer))
    return Signed(
        found.reference, str(digest), signer.public_key.fingerprint, changed=not is_signed
    )


@click.command(
    "sign",
    cls=Command,
    examples=("skep sign .", "skep sign dist/ratelimiting-1.2.0.oci --key work"),
)
@argument("layout", type=PATH, help="Package folder (….oci) or its project folder.")
@click.option(
    "--key", default="default", help="Name of the key.", shell_complete=live_names.own_keys
)
@json_option
@quiet_option
@wide_option
def command(*, layout: Path, key: str, json: bool, quiet: bool, wide: bool) -> None:
    """Sign a built package with a key of yours."""
    run = invocation(json=json, quiet=quiet, wide=wide)
    signed = sign_layout(layout, key, run.environment, system_clock())
    what = "signed" if signed.changed else "unchanged:"
    run.output.emit(
        {
            "schema": schema_id("sign"),
            "package": signed.reference,
            "digest": signed.digest,
            "key": key,
            "fingerprint": signed.fingerprint,
            "changed": signed.changed,
        },
        lambda: [
            f"{what} {signed.reference}  {run.output.digest(signed.digest)}",
            f"with key {key}  {signed.fingerprint}",
        ],
    )
