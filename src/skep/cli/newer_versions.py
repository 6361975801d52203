"""What ``skep list`` says besides: settings that are not the defaults, and newer versions.

Only what is needed is imported, as listing must start fast. Nobody is asked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from skep.node.looking.listing import Listed
from skep.node.looking.standing import Newer, Standing
from skep.packages.references import parse_reference


def without_defaults(
    content: Path, installed: Sequence[Listed], standings: Sequence[Standing]
) -> list[Standing]:
    """How deployments stand, with those settings alone that differ from the defaults.

    Args:
        content: where packages are.
    """
    if not any(one.deployment.settings for one in installed):
        return [*standings]
    from skep.node.observing.chosen_settings import changed_settings

    return [
        replace(standing, changed_settings=changed_settings(content, one.deployment))
        if one.deployment.settings
        else standing
        for one, standing in zip(installed, standings, strict=True)
    ]


def with_newer(
    path: Path, installed: Sequence[Listed], standings: Iterable[Standing]
) -> list[tuple[Listed, Standing]]:
    """Deployments and how they stand, with the newer versions that were heard of.

    Args:
        path: of what was heard.
    """
    listed = list(zip(installed, standings, strict=True))
    if not (listed and path.exists()):
        return listed
    from skep.packages.local.heard import read_heard
    from skep.versions import newness

    heard = read_heard(path)
    found = []
    for one, standing in listed:
        reference = parse_reference(one.deployment.reference)
        said = heard.get((reference.host or "", reference.package))
        if said is not None and reference.version is not None:
            newer = Newer(str(said.version), reference.host or "", said.at)
            if newness(said.version) > newness(reference.version):
                standing = replace(standing, newer=newer)
        found.append((one, standing))
    return found
