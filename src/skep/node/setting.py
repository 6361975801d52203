"""Setting: values change while the program runs.

Settings in maps are written into the pinned maps. Settings in read-only variables are constants to
the kernel's verifier, so the program is linked anew and the chain exchanged; its other maps stay.
Which of the two is needed comes out of the plan; nobody has to know.
"""

from collections.abc import Mapping
from dataclasses import replace

from skep.errors import UsageError
from skep.node.changing import change
from skep.node.listing import find_installed
from skep.node.records import Installed
from skep.node.services import Services


class NothingToSet(UsageError):
    """No setting was named."""


def change_settings(services: Services, name: str, changes: Mapping[str, str]) -> Installed:
    """Change settings of a deployment; those not named stay as they are.

    An empty text is an empty set; a single value cannot be empty.

    Raises:
        NoSuchDeployment: there is none of that name.
        NothingToSet: ``changes`` is empty.
        UnknownSetting, WrongSetting: no such setting, or no value for it; nothing is changed.
        SkepError: the chain could not be composed; nothing is changed.
    """
    if not changes:
        raise NothingToSet(
            f"expected settings for {name}, got none", hint=f"for example: skep set {name} rate=5/s"
        )
    installed = services.state.installed()
    deployment = find_installed(installed, name).deployment
    merged = {**dict(deployment.settings), **changes}
    changed = replace(deployment, settings=tuple(sorted(merged.items())))
    after = [changed if one.deployment.name == name else one.deployment for one in installed]
    names = ", ".join(sorted(changes))
    done = change(services, f"set {name} {names}", after, must_run={deployment.on})
    return find_installed(done, name)
