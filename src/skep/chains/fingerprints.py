"""Fingerprints: what a chain is made of, short enough for a kernel program's name.

The kernel keeps 15 characters of a program's name. ``skep_`` and ten hexadecimal digits tell which
chain a running program is, so what runs can be compared with what was declared without trusting
the database. It is an identity, not a proof: whoever may load programs may choose their names.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from skep.bytecode.linking.plan import MapPlan
from skep.chains.deployment import Deployment
from skep.errors import Refused, UsageError
from skep.hooks.table import find_hook

KERNEL_NAME_PREFIX = "skep_"
_DIGITS = 10
_FORMAT = "skep-chain/2"  # change it when the splicer's seams change: chains are then made anew
_KERNEL_NAME = re.compile(KERNEL_NAME_PREFIX + r"([0-9a-f]{10})")
# C identifiers, and data sections such as .rodata.str; anything else comes from a hostile object.
_MAP_NAME = re.compile(r"\.?[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")
_CONTENTS = re.compile(r"-[0-9a-f]{10}$")  # at the end of a pin name
_KERNEL_NAME_LENGTH = 15
_MAP_NAME_LENGTH = 180  # characters; a pin has room for 200 and ours adds eleven


class BadMapName(Refused):
    """A map's name cannot become a file name in bpffs."""


@dataclass(frozen=True, slots=True, order=True)
class ChainMember:
    """What makes a member of a chain this one and no other.

    Attributes:
        deployment: name of the deployment.
        digest: of its package's manifest.
        program: function name.
        run_on: return codes after which the next member runs, ascending.
        maps: pin names of its maps, in the order of its load plan.
    """

    deployment: str
    digest: str
    program: str
    run_on: tuple[int, ...]
    maps: tuple[str, ...]


class UnknownVerdict(UsageError):
    """The hook has no verdict of this name."""


def run_on_codes(hook_name: str, verdicts: Iterable[str]) -> tuple[int, ...]:
    """Return codes of verdict names, ascending.

    Raises:
        UnknownHook: no such hook.
        UnknownVerdict: with the verdicts there are.
    """
    known = find_hook(hook_name).verdicts
    codes = set()
    for verdict in verdicts:
        if verdict not in known:
            raise UnknownVerdict(
                f"expected a verdict of {hook_name} in run_on, got {verdict[:64]!r}",
                hint=f"verdicts: {', '.join(known)}",
            )
        codes.add(known[verdict])
    return tuple(sorted(codes))


def chain_member(deployment: Deployment) -> ChainMember:
    """What a deployment is in its chain.

    Raises:
        UnknownHook, UnknownVerdict: the deployment comes from another version of Skep.
    """
    return ChainMember(
        deployment.name,
        deployment.digest,
        deployment.program,
        run_on_codes(deployment.on.hook, deployment.run_on),
        deployment.maps,
    )


def chain_fingerprint(members: Sequence[ChainMember]) -> str:
    """Ten hexadecimal digits over the members in order; empty for no members.

    Every field is written with its length, so no two chains share what is hashed.

    >>> chain_fingerprint([])
    ''
    >>> chain_fingerprint([ChainMember("a", "sha256:00", "f", (2,), ())])
    '2d35705ddf'
    """
    if not members:
        return ""
    fields: list[str] = [_FORMAT]
    for member in members:
        fields += [member.deployment, member.digest, member.program]
        for group in (tuple(str(code) for code in member.run_on), member.maps):
            fields.append(str(len(group)))
            fields += group
    return _digits(field.encode() for field in fields)


def kernel_name(fingerprint: str) -> str:
    """Name of the kernel program that is the chain with this fingerprint."""
    return KERNEL_NAME_PREFIX + fingerprint


def fingerprint_in(name: str) -> str | None:
    """Fingerprint in a kernel program's name; ``None`` if the program is not a chain of ours.

    >>> fingerprint_in("skep_0123456789"), fingerprint_in("dispatcher")
    ('0123456789', None)
    """
    match = _KERNEL_NAME.fullmatch(name)
    return match[1] if match else None


def map_pin_name(map_plan: MapPlan) -> str:
    """File name in bpffs of a map.

    A map with initial contents (``.rodata``, ``.data``) is another map when they are others, so
    they are part of its name: the old one and the new one can then be pinned side by side while
    one chain replaces the other. Of a map with the kernel's answers the questions are, so that the
    same deployment is the same on the next kernel; nothing pinned outlives a kernel anyway. Dots
    are reserved in bpffs and become ``-``, which no C identifier has.

    >>> map_pin_name(MapPlan("rl_config", 2, 4, 8, 1))
    'rl_config'

    Raises:
        BadMapName: the name is no C identifier or section name, or longer than 180 characters.
    """
    name = map_plan.name
    if len(name) > _MAP_NAME_LENGTH or not _MAP_NAME.fullmatch(name):
        raise BadMapName(
            f"expected a map name of letters, digits and '_', got {name[:80]!r}",
            hint="rename the map in the program's source",
        )
    pin = name.replace(".", "-")
    if map_plan.layout:
        return f"{pin}-{_digits([map_plan.layout.encode()])}"
    if not map_plan.contents:
        return pin
    pairs = (part for pair in sorted(map_plan.contents) for part in pair)
    return f"{pin}-{_digits(pairs)}"


def kernel_map_name(pin: str) -> str:
    """What the kernel keeps of the name of the map with a pin name: 15 characters.

    >>> kernel_map_name("rl_config"), kernel_map_name("-rodata-str1-1-0123456789")
    ('rl_config', '.rodata.str1.1')
    """
    return _CONTENTS.sub("", pin).replace("-", ".")[:_KERNEL_NAME_LENGTH]


def _digits(fields: Iterable[bytes]) -> str:
    state = hashlib.sha256()
    for field in fields:
        state.update(len(field).to_bytes(8, "little"))
        state.update(field)
    return state.hexdigest()[:_DIGITS]
