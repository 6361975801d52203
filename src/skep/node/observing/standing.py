"""How deployments stand, as far as that needs no package: whose keys are trusted now."""

from pathlib import Path

from skep.chains.deployment import Deployment
from skep.node.looking.standing import Standing, Trust
from skep.node.settings import NodeSettings
from skep.node.verified.key_files import is_trusted
from skep.packages.references import parse_reference


def standing_of(settings: NodeSettings, deployment: Deployment) -> Standing:
    """How a deployment stands, with all settings that were chosen.

    Which of them differ from the defaults, :mod:`skep.node.observing.chosen_settings` tells.
    """
    return Standing(_trust(settings.trust, deployment), dict(deployment.settings))


def _trust(directory: Path, deployment: Deployment) -> Trust:
    if deployment.accepts_unsigned:
        return "unsigned"
    publisher = parse_reference(deployment.reference).publisher
    try:
        there = is_trusted(directory, publisher, deployment.signer)
    except OSError:
        return "not known"
    return "signed" if there else "distrusted"
