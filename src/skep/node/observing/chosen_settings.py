"""Which settings of a deployment differ from its package's defaults.

Apart from :mod:`skep.node.observing.standing`: who lists deployments without settings need not
import packages.
"""

from pathlib import Path

from skep.chains.deployment import Deployment
from skep.digests import Digest
from skep.errors import SkepError
from skep.packages.local.content_store import ContentStore
from skep.packages.opening import read_metadata
from skep.packages.settings import SettingSpec, parse_setting


def changed_settings(content: Path, deployment: Deployment) -> dict[str, str]:
    """Chosen settings that differ; all that were chosen, if the package cannot be read.

    Args:
        content: where packages are.
    """
    store = ContentStore(content)
    try:
        metadata = read_metadata(store.blob(Digest.parse(deployment.digest)), store.blob)
        return {
            name: text
            for name, text in deployment.settings
            if _differs(metadata.setting(name), text)
        }
    except (SkepError, OSError):
        return dict(deployment.settings)


def _differs(spec: SettingSpec, text: str) -> bool:
    default = spec.default_text
    if default is None:
        return True
    return parse_setting(spec, text).members != parse_setting(spec, default).members
