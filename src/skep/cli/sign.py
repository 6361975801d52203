"""``skep sign``: a Sigstore bundle over a built package, kept beside it."""

from pathlib import Path
from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, invocation
from skep.cli.environment import Environment


def sign_layout(layout: Path, key: str, environment: Environment) -> tuple[str, str, str]:
    """Sign every tagged package of an OCI layout; returns reference, digest and fingerprint."""
    from skep.cli.keyring import KeyRing
    from skep.cli.locating import open_layout
    from skep.packages.client.bundles import store_bundle
    from skep.trust.bundles import sign
    from skep.trust.statements import Subject

    signer = KeyRing(environment.keys).signer(key)
    found = open_layout(layout)
    bundle = sign(Subject(found.name, found.descriptor.digest), signer)
    store_bundle(found.store, found.descriptor, bundle)
    return found.reference, str(found.descriptor.digest), signer.public_key.fingerprint


def command(
    layout: Annotated[Path, typer.Argument(help="Package folder (….oci) or its project folder.")],
    key: Annotated[str, typer.Option("--key", help="Name of the key.")] = "default",
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Sign a built package with a key of yours."""
    run = invocation(json=json, quiet=quiet)
    reference, digest, fingerprint = sign_layout(layout, key, run.environment)
    run.output.emit(
        {"package": reference, "digest": digest, "key": key, "fingerprint": fingerprint},
        lambda: [f"signed {reference}  {digest}", f"with key {key}  {fingerprint}"],
    )
