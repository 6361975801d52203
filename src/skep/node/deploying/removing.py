"""Removing: a deployment leaves its chain, and its maps go."""

from skep.chains.deployment import Deployment
from skep.node.converging.changing import change
from skep.node.converging.services import Services
from skep.node.looking.listing import find_installed


def remove(services: Services, name: str) -> Deployment:
    """Take a deployment away; the others on its hook target go on, with their maps.

    Works also where its interface is gone or taken by somebody else.

    Raises:
        NoSuchDeployment: there is none of that name.
        SkepError: the rest of the chain could not be composed; nothing is changed.
    """
    installed = services.state.installed()
    gone = find_installed(installed, name).deployment
    after = [one.deployment for one in installed if one.deployment.name != name]
    change(services, f"remove {name}", after)
    return gone
