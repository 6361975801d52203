"""``skep sign``: a Sigstore bundle over a built package, kept beside it."""

from pathlib import Path

import click

from skep.cli import live_names
from skep.cli.context import invocation
from skep.cli.environment import Environment
from skep.cli.options import PATH, Command, argument, json_option, quiet_option, wide_option
from skep.json_documents import schema_id


def sign_layout(layout: Path, key: str, environment: Environment) -> tuple[str, str, str]:
    """Sign the package of an OCI layout; returns reference, digest and fingerprint."""
    from skep.cli.keyring import KeyRing
    from skep.cli.locating import open_layout
    from skep.packages.local.bundles import store_bundle
    from skep.trust.bundles import sign
    from skep.trust.statements import Subject

    signer = KeyRing(environment.keys).signer(key)
    found = open_layout(layout)
    bundle = sign(Subject(found.name, found.descriptor.digest), signer)
    store_bundle(found.store, found.descriptor, bundle)
    return found.reference, str(found.descriptor.digest), signer.public_key.fingerprint


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
    reference, digest, fingerprint = sign_layout(layout, key, run.environment)
    run.output.emit(
        {
            "schema": schema_id("sign"),
            "package": reference,
            "digest": digest,
            "key": key,
            "fingerprint": fingerprint,
        },
        lambda: [
            f"signed {reference}  {run.output.digest(digest)}",
            f"with key {key}  {fingerprint}",
        ],
    )
