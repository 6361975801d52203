"""Setting: values change while the program runs.

Settings in maps are written into the pinned maps. Settings in read-only variables are constants to
the kernel's verifier, so the program is linked again and the chain replaced; its other maps stay.
The plan decides which of the two is needed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from skep.bytecode.isa.kernel_types import MAP_TYPES
from skep.chains.deployment import Deployment
from skep.chains.fingerprints import map_pin_name
from skep.chains.planning import LeftEntries, LinkedDeployment, MapSetting
from skep.digests import Digest
from skep.errors import Conflict, UsageError
from skep.node.converging.changing import Change
from skep.node.converging.consenting import NOT_ASKED, Answer
from skep.node.converging.kept_programs import require_own_record, require_readable
from skep.node.converging.replaced_maps import require_maps_in_use
from skep.node.converging.services import Services, Writer
from skep.node.deploying.applying import Changed, Desired, apply
from skep.node.looking.listing import find_installed
from skep.packages.metadata import PackageMetadata
from skep.packages.references import parse_reference

Changes = Mapping[str, str | None]
"""Texts by setting; ``None`` takes it back to what its author chose: a default, or no value."""


class NothingToSet(UsageError):
    """No setting was named."""


class SizeIsFixed(Conflict):
    """The setting sizes a map, which is there already."""


def desired_settings(services: Services, name: str, changes: Changes) -> Desired:
    """A deployment with other settings; those not named stay as they are.

    An entry of a map that a setting without a default wrote becomes what the object has there
    when its value is taken back: its compiled content, 0 in an array, no entry in a hash.

    An empty text is an empty set; a single value cannot be empty.

    Raises:
        NoSuchDeployment: there is none of that name.
        NothingToSet: ``changes`` is empty.
        UnknownSetting, WrongSetting: no such setting, or no value for it.
        SizeIsFixed: it would make a map anew, and what is in it would be lost.
        RecordDamaged: its own record cannot be read.
        RecordDamaged, MapReplaced: its chain cannot be put together again.
    """
    if not changes:
        raise NothingToSet(
            f"expected settings for {name}, got none", hint=f"skep set {name} rate=5/s"
        )
    require_own_record(services, name)
    installed = services.state.installed()
    deployment = find_installed(installed, name).deployment
    on = deployment.on
    require_readable(services, on)
    require_maps_in_use(services, on)
    metadata = _metadata(services, deployment)
    chosen = dict(deployment.settings)
    taken_back = {each for each, text in changes.items() if text is None}
    for each in taken_back:
        metadata.setting(each)
    given = {each: text for each, text in changes.items() if text is not None}
    merged = {each: text for each, text in {**chosen, **given}.items() if each not in taken_back}
    # Other words for the values that are in force already change nothing.
    in_force = metadata.values_in_force(chosen)
    if not taken_back & chosen.keys() and metadata.values_in_force(merged) == in_force:
        merged = chosen
    changed = replace(deployment, settings=tuple(sorted(merged.items())))
    after = [changed if one.deployment.name == name else one.deployment for one in installed]
    # Settings that do not fit are told before anything is asked.
    linked = services.packages.linked(changed)
    linked_before = services.packages.linked(deployment)
    _check_sizes(linked_before, linked)
    command = f"set {name} {', '.join(sorted(changes))}"
    # Compared with what the maps contain, not with what was declared before: hence ``also``.
    left = {name: tuple(_left(linked_before, linked))}
    wanted = Change(command, after, must_run={on}, also={on}, left=left)
    return Desired(wanted, name, on)


def change_settings(
    writer: Writer, name: str, changes: Changes, answer: Answer = NOT_ASKED
) -> Changed:
    """Change settings of a deployment while it runs.

    Raises:
        ConsentNeeded: with these settings it may do more than was agreed to.
        SkepError: as :func:`desired_settings`, or the chain could not be composed; nothing is
            changed.
    """
    return apply(writer, desired_settings(writer.services, name, changes), answer)


def _metadata(services: Services, deployment: Deployment) -> PackageMetadata:
    package = services.packages.open(
        parse_reference(deployment.reference), Digest.parse(deployment.digest), deployment.policy
    )
    return package.content.metadata


def _left(before: LinkedDeployment, after: LinkedDeployment) -> Iterator[LeftEntries]:
    """Entries that no setting writes any more, as the object has them."""
    maps = {map_pin_name(each): each for each in after.maps}
    now = {each.pin: each for each in after.settings}
    for setting in before.settings:
        there = now.get(setting.pin, MapSetting(setting.pin, ()))
        if there.whole or setting.pin not in maps:
            continue  # of a set, everything else goes anyway
        plan = maps[setting.pin]
        compiled = dict(plan.contents)
        lost = [key for key, _ in setting.entries if key not in dict(there.entries)]
        if plan.map_type == MAP_TYPES["ARRAY"]:
            compiled = {key: bytes(plan.value_size) for key in lost} | compiled
        entries = tuple((key, compiled[key]) for key in lost if key in compiled)
        absent = tuple(key for key in lost if key not in compiled)
        if lost:
            yield LeftEntries(MapSetting(setting.pin, entries), absent)


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
