"""How deployments stand, read from files: whose keys are trusted now, what packages' defaults are.

Nothing slow is imported unless a deployment has settings.
"""

from pathlib import Path

from skep.chains.deployment import Deployment
from skep.digests import Digest
from skep.errors import SkepError
from skep.node.looking.standing import Standing, Trust
from skep.node.settings import NodeSettings
from skep.node.verified.key_files import is_trusted
from skep.packages.references import parse_reference


def standing_of(settings: NodeSettings, deployment: Deployment) -> Standing:
    """How a deployment stands; nothing is asked of a marketplace."""
    return Standing(
        trust=_trust(settings.trust, deployment),
        changed_settings=_changed_settings(settings.content, deployment),
    )


def _trust(directory: Path, deployment: Deployment) -> Trust:
    if deployment.accepts_unsigned:
        return "unsigned"
    publisher = parse_reference(deployment.reference).publisher
    try:
        there = is_trusted(directory, publisher, deployment.signer)
    except OSError:
        return "not known"
    return "signed" if there else "distrusted"


def _changed_settings(content: Path, deployment: Deployment) -> dict[str, str]:
    chosen = dict(deployment.settings)
    if not chosen:
        return {}
    from skep.packages.local.content_store import ContentStore
    from skep.packages.opening import read_metadata
    from skep.packages.settings import parse_setting

    store = ContentStore(content)
    try:
        metadata = read_metadata(store.blob(Digest.parse(deployment.digest)), store.blob)
        return {
            name: text
            for name, text in chosen.items()
            if (default := metadata.setting(name).default_text) is None
            or parse_setting(metadata.setting(name), text).members
            != parse_setting(metadata.setting(name), default).members
        }
    except (SkepError, OSError):
        return chosen
