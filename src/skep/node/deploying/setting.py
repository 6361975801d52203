"""Setting: values change while the program runs.

Settings in maps are written into the pinned maps. Settings in read-only variables are constants to
the kernel's verifier, so the program is linked again and the chain replaced; its other maps stay.
The plan decides which of the two is needed.
"""

from collections.abc import Mapping
from dataclasses import replace

from skep.chains.planning import LinkedDeployment
from skep.errors import Conflict, UsageError
from skep.node.converging.changing import Change, change
from skep.node.converging.consenting import NOT_ASKED, Answer, find_needs, settle
from skep.node.converging.kept_programs import require_readable
from skep.node.converging.replaced_maps import require_maps_in_use
from skep.node.converging.services import Writer
from skep.node.looking.listing import find_installed
from skep.node.records import Installed


class NothingToSet(UsageError):
    """No setting was named."""


class SizeIsFixed(Conflict):
    """The setting sizes a map, which is there already."""


def change_settings(
    writer: Writer, name: str, changes: Mapping[str, str], answer: Answer = NOT_ASKED
) -> Installed:
    """Change settings of a deployment; those not named stay as they are.

    An empty text is an empty set; a single value cannot be empty.

    Raises:
        NoSuchDeployment: there is none of that name.
        NothingToSet: ``changes`` is empty.
        UnknownSetting, WrongSetting: no such setting, or no value for it; nothing is changed.
        SizeIsFixed: it would make a map anew, and what is in it would be lost.
        MapReplaced: another map was put in the place of one that is in use.
        ConsentNeeded: with these settings it may do more than was agreed to.
        SkepError: the chain could not be composed; nothing is changed.
    """
    if not changes:
        raise NothingToSet(
            f"expected settings for {name}, got none", hint=f"for example: skep set {name} rate=5/s"
        )
    installed = writer.state.installed()
    deployment = find_installed(installed, name).deployment
    on = deployment.on
    require_readable(writer, on)
    require_maps_in_use(writer, on)
    merged = {**dict(deployment.settings), **changes}
    changed = replace(deployment, settings=tuple(sorted(merged.items())))
    after = [changed if one.deployment.name == name else one.deployment for one in installed]
    # Settings that do not fit are told before anything is asked.
    linked = writer.packages.linked(changed)
    _check_sizes(writer.packages.linked(deployment), linked)
    consents = settle(writer, find_needs(writer.services, after, on), answer)
    command = f"set {name} {', '.join(sorted(changes))}"
    # Compared with what the maps contain, not with what was declared before: hence ``also``.
    wanted = Change(command, after, must_run={on}, also={on}, consents=consents)
    return find_installed(change(writer, wanted), name)


def _check_sizes(before: LinkedDeployment, after: LinkedDeployment) -> None:
    # The kernel cannot resize a map, and a new one would be empty: nobody asked for that.
    there = {each.name: each.max_entries for each in before.maps}
    for each in after.maps:
        entries = there.get(each.name, each.max_entries)
        if entries != each.max_entries:
            raise SizeIsFixed(
                f"map {each.name} of {before.deployment.name} has {entries} entries as long as it "
                f"is installed, and cannot have {each.max_entries}",
                hint="remove it and install it again with that setting; its maps start empty",
            )
