"""Moving: another place in the chain."""

from skep.chains.ordering import Placement, in_order, place
from skep.node.converging.changing import change
from skep.node.converging.consenting import NOT_ASKED, Answer, find_needs, settle
from skep.node.converging.services import Services
from skep.node.looking.listing import find_installed


def move(
    services: Services, name: str, placement: Placement, answer: Answer = NOT_ASKED
) -> tuple[str, ...]:
    """Give a deployment another place on its hook target, in one exchange; maps stay.

    Returns:
        Names of the deployments there, in their new order.

    Raises:
        NoSuchDeployment: there is none of that name.
        NoSuchNeighbour, BadOrder: there is no such place.
        ConsentNeeded: a newer analyser found more than was agreed to.
        SkepError: the chain could not be composed; nothing is changed.
    """
    current = [one.deployment for one in services.state.installed()]
    deployment = find_installed(services.state.installed(), name).deployment
    after = place(current, deployment, placement)
    consents = settle(services, find_needs(services, after, deployment.on), answer)
    installed = change(services, f"move {name}", after, must_run={deployment.on}, consents=consents)
    return tuple(one.name for one in in_order((i.deployment for i in installed), deployment.on))
