"""The commands that reverse a change, derived from what is declared before and after it."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from skep.chains.deployment import Deployment, default_deployment_name
from skep.chains.ordering import in_order
from skep.digests import Digest
from skep.hooks.target import HOST, HookTarget
from skep.node.looking.locating import Spot
from skep.packages.references import parse_reference


def undo_commands(
    before: Sequence[Deployment],
    after: Sequence[Deployment],
    *,
    subject: str = "",
    here: str = "",
    spots: Mapping[HookTarget, Spot] = MappingProxyType({}),
) -> tuple[str, ...]:
    """Commands that reverse a change, to be typed in this order; none if no command does.

    What was made anew is removed, what was removed is installed again, at its place and with its
    digest. Otherwise the subject gets back its settings or its place.

    Args:
        before: as declared before.
        after: as declared afterwards.
        subject: name of the deployment that was changed.
        here: network namespace of this command; empty on the host.
        spots: where hook targets are, so that one which has another name now is called by it.
            Nothing can be installed again where nothing is.
    """
    there = {each.name: each for each in before}
    now = {each.name: each for each in after}
    new = [each.name for each in after if each.name not in there]
    gone = [each for each in before if each.name not in now]
    if new or gone:
        commands = [["skep", "remove", name] for name in new]
        places = {each.name: _place(each.on, spots) for each in gone}
        if None in places.values():
            return ()
        commands += [
            install_words(each.with_target(place), here)
            for each in gone
            if (place := places[each.name]) is not None
        ]
    elif subject in now and there[subject].settings != now[subject].settings:
        changed = _changed_settings(there[subject], now[subject])
        commands = [set_words(subject, changed, dict(there[subject].settings))]
    elif subject in now and there[subject].order != now[subject].order:
        commands = [_move_words(before, after, subject)]
    else:
        commands = []
    return tuple(map(shlex.join, commands))


def _place(on: HookTarget, spots: Mapping[HookTarget, Spot]) -> HookTarget | None:
    spot = spots.get(on)
    if spot is None:
        return on
    return None if spot.place is None else spot.called or on


def install_words(deployment: Deployment, here: str = "") -> list[str]:
    """The command that installs a deployment as it is declared."""
    reference = parse_reference(deployment.reference)
    words = ["skep", "install", str(reference.pinned(Digest.parse(deployment.digest)))]
    words += ["--on", str(_written(deployment.on, here))]
    if deployment.name != default_deployment_name(reference.name):
        words += ["--name", deployment.name]
    words += ["--program", deployment.program]
    for name, text in deployment.settings:
        words += ["--set", f"{name}={text}"]
    words += ["--order", str(deployment.order)]
    if deployment.accepts_unsigned:
        words.append("--insecure-accept-unsigned")
    return words


def _written(on: HookTarget, here: str) -> HookTarget:
    # Inside another namespace, a name without one would be a name in there.
    return replace(on, namespace=HOST) if here and not on.namespace else on


def _changed_settings(before: Deployment, after: Deployment) -> list[str]:
    old, new = dict(before.settings), dict(after.settings)
    return [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]


def set_words(name: str, settings: Iterable[str], texts: Mapping[str, str]) -> list[str]:
    """The command that gives settings of a deployment their texts.

    Args:
        settings: those to be changed; one without a text is taken back to what its author chose.
    """
    given, taken_back = [], []
    for setting in settings:
        if setting in texts:
            given.append(f"{setting}={texts[setting]}")
        else:
            taken_back += ["--reset", setting]
    return ["skep", "set", name, *given, *taken_back]


def _move_words(
    before: Sequence[Deployment], after: Sequence[Deployment], subject: str
) -> list[str]:
    move = ["skep", "move", subject]
    orders = {each.name: each.order for each in after}
    on = next(each.on for each in before if each.name == subject)
    chain = in_order(before, on)
    if all(orders[each.name] == each.order for each in chain if each.name != subject):
        return [*move, "--order", str(next(d.order for d in chain if d.name == subject))]
    # The others were numbered anew, so that its old number is another place now.
    names = [each.name for each in chain]
    place = names.index(subject)
    if place + 1 < len(names):
        return [*move, "--before", names[place + 1]]
    return [*move, "--after", names[place - 1]]
