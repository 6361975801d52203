"""``skep verify``: is it what its publisher signed, byte for byte?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from skep.cli.context import JsonOption, QuietOption, invocation
from skep.cli.environment import Environment
from skep.cli.locating import Found


def verify_found(found: Found, environment: Environment) -> Mapping[str, object]:
    """Hash every byte, check the signature against the keys this node trusts."""
    from skep.clock import system_clock
    from skep.node.trust_store import TrustStore
    from skep.packages.client.bundles import stored_bundles
    from skep.trust.statements import Subject
    from skep.trust.verifying import verify

    content = found.open()
    policy = TrustStore(environment.trust).policy_for(content.metadata.publisher)
    digest = found.descriptor.digest
    bundles = stored_bundles(found.store, digest)
    evidence = verify(Subject(content.metadata.name, digest), bundles, policy, system_clock())
    return {
        "package": found.reference,
        "digest": str(digest),
        "signed_by": evidence.fingerprint,
        "checked": [
            f"{len(content.objects)} object files and every other byte hashed",
            *evidence.checked,
        ],
    }


def command(
    what: Annotated[str, typer.Argument(metavar="REF|FOLDER", help="Package on this machine.")],
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check a package's content and signature against the keys trusted here."""
    from skep.cli.locating import locate
    from skep.errors import UsageError

    run = invocation(json=json, quiet=quiet)
    found = locate(what, run.environment)
    if isinstance(found, Path):
        raise UsageError(f"{found} is a file; only packages carry signatures")
    document = verify_found(found, run.environment)
    checked = document["checked"]
    steps = checked if isinstance(checked, list) else []
    run.output.emit(
        document,
        lambda: [
            f"verified {document['package']}  {document['digest']}",
            f"signed by {document['signed_by']}",
            *(f"  {run.output.style('✓', 'green')} {step}" for step in steps),
        ],
    )
