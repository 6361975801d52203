"""Obstacles: what keeps a package from being installed, as values."""

from dataclasses import dataclass
from typing import Literal

ObstacleKind = Literal[
    "program", "contradiction", "metadata", "licence", "gpl", "code", "size", "nested"
]
"""Nobody can install the package because

``program``: a program of ``skep.toml`` is in no object file, or in several;
``contradiction``: ``skep.toml`` and the object files say different things;
``metadata``: it sizes maps that are not there, or wrongly;
``licence``: an object declares no kernel licence;
``gpl``: the kernel licence does not allow what the programs use;
``code``: no kernel loads the code;
``size``: nothing says how many entries a map has.

``nested``: nodes of this version cannot make a map; kernels can.
"""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a package cannot be installed.

    Attributes:
        kind: what it is about.
        text: one sentence.
        hint: what the author does about it; may be empty.
        path: of the field in ``skep.toml``; empty if it is about an object file.
        place: source file and line, or the object file; empty if it is about a field.
    """

    kind: ObstacleKind
    text: str
    hint: str = ""
    path: str = ""
    place: str = ""

    def __str__(self) -> str:
        where = self.path or self.place
        return f"{where}: {self.text}" if where else self.text

    @property
    def advice(self) -> str:
        """The whole in one line, with what to do."""
        return f"{self}; {self.hint}" if self.hint else str(self)
