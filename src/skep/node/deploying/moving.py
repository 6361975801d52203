"""Moving: another place in the chain."""

from skep.chains.ordering import Placement, in_order, place
from skep.node.converging.changing import Change, change
from skep.node.converging.consenting import NOT_ASKED, Answer, find_needs, settle
from skep.node.converging.kept_programs import require_readable
from skep.node.converging.replaced_maps import require_maps_in_use
from skep.node.converging.services import Writer
from skep.node.looking.listing import find_installed


def move(
    writer: Writer, name: str, placement: Placement, answer: Answer = NOT_ASKED
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
    current = writer.state.installed()
    deployment = find_installed(current, name).deployment
    on = deployment.on
    require_readable(writer, on)
    require_maps_in_use(writer, on)
    after = place([one.deployment for one in current], deployment, placement)
    consents = settle(writer, find_needs(writer.services, after, on), answer)
    installed = change(writer, Change(f"move {name}", after, must_run={on}, consents=consents))
    return tuple(one.name for one in in_order((i.deployment for i in installed), on))
