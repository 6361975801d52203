"""Checking a package on this machine: every byte, and the signature."""

from collections.abc import Mapping

from skep.cli.calling import called_in
from skep.cli.environment import Environment
from skep.cli.locating import Found
from skep.cli.output import counted
from skep.clock import system_clock
from skep.json_documents import schema_id
from skep.node.verified.trust_store import TrustStore
from skep.packages.local.bundles import stored_bundles
from skep.trust.statements import Subject
from skep.trust.verifying import verify_calling


def verify_found(found: Found, environment: Environment) -> Mapping[str, object]:
    """Hash every byte, check the signature against the keys this node trusts."""
    content = found.open()
    policy = TrustStore(environment.trust).policy_for(content.metadata.publisher)
    digest = found.descriptor.digest
    bundles = stored_bundles(found.store, digest)
    evidence = verify_calling(
        called_in(environment),
        Subject(content.metadata.name, digest, found.origin),
        bundles,
        policy,
        system_clock(),
    )
    return {
        "schema": schema_id("verify"),
        "package": found.reference,
        "digest": str(digest),
        "signed_by": evidence.fingerprint,
        "checked": [
            f"{counted(len(content.objects), 'object file')} and every other byte hashed",
            *evidence.checked,
        ],
    }
