"""Moving: another place in the chain, in one exchange; maps stay."""

from collections.abc import Sequence

from skep.chains.deployment import Deployment
from skep.chains.ordering import At, Placement, in_order, place
from skep.node.converging.changing import Change
from skep.node.converging.consenting import NOT_ASKED, Answer
from skep.node.converging.kept_programs import require_own_record, require_readable
from skep.node.converging.replaced_maps import require_maps_in_use
from skep.node.converging.services import Services, Writer
from skep.node.deploying.applying import Changed, Desired, apply
from skep.node.looking.listing import find_installed


def desired_move(services: Services, name: str, placement: Placement) -> Desired:
    """A deployment at another place on its hook target.

    Raises:
        NoSuchDeployment: there is none of that name.
        NoSuchNeighbour, BadOrder: there is no such place.
        RecordDamaged: its own record cannot be read.
        RecordDamaged, MapReplaced: its chain cannot be put together again.
    """
    require_own_record(services, name)
    installed = services.state.installed()
    current = [one.deployment for one in installed]
    deployment = find_installed(installed, name).deployment
    on = deployment.on
    require_readable(services, on)
    require_maps_in_use(services, on)
    after = placed(current, deployment, placement)
    # Looked at even if it has that place already: then what runs may still be something else.
    return Desired(Change(f"move {name}", after, must_run={on}, also={on}), name, on)


def placed(
    current: Sequence[Deployment], deployment: Deployment, placement: Placement
) -> Sequence[Deployment]:
    """All deployments with one of them at a place; as they are if it is there already.

    Raises:
        NoSuchNeighbour, BadOrder: there is no such place.
    """
    after = place(current, deployment, placement)
    before = [each.name for each in in_order(current, deployment.on)]
    # Before and after name neighbours, not numbers.
    is_same = before == [each.name for each in in_order(after, deployment.on)]
    return current if is_same and not isinstance(placement, At) else after


def move(writer: Writer, name: str, placement: Placement, answer: Answer = NOT_ASKED) -> Changed:
    """Give a deployment another place on its hook target.

    Raises:
        ConsentNeeded: a newer analyser found more than was agreed to.
        SkepError: as :func:`desired_move`, or the chain could not be composed; nothing is changed.
    """
    return apply(writer, desired_move(writer.services, name, placement), answer)
