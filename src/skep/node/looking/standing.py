"""What a list says of a deployment besides where it runs: trust, settings, what is out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Trust = Literal["signed", "unsigned", "distrusted", "not known"]
"""``signed``: by a key that is trusted; ``unsigned``: the owner accepted that; ``distrusted``: the
key that signed it is not trusted any more; ``not known``: this user may not look."""


@dataclass(frozen=True, slots=True)
class Newer:
    """A newer version, as a marketplace said when it was last asked.

    Attributes:
        version: its number.
        marketplace: host.
        heard_at: when it was said, RFC 3339.
    """

    version: str
    marketplace: str
    heard_at: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a deployment.

    Attributes:
        trust: as of now, not as of when it was installed.
        changed_settings: those that differ from the package's defaults; all that were chosen, if
            the package cannot be read.
        newer: ``None`` if nothing newer was heard of.
    """

    trust: Trust = "signed"
    changed_settings: Mapping[str, str] = field(default_factory=dict)
    newer: Newer | None = None
