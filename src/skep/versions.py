"""Versions: of packages (Semantic Versioning 2.0.0) and of kernels (pairs of numbers).

Sources: https://semver.org/spec/v2.0.0.html ; kernel releases as ``uname -r`` prints them.
"""

import re
from dataclasses import dataclass
from functools import total_ordering

from skep.errors import Malformed

# The pattern of semver.org, without build metadata: two builds of one version would be
# different content under one name, which a repository must not have.
_SEMVER = re.compile(
    r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})"
    r"(?:-((?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
    r"(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?"
)
_KERNEL = re.compile(r"([0-9]{1,5})\.([0-9]{1,5})(?![0-9])")


class MalformedVersion(Malformed):
    """Text is not a version."""


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A package version, ordered by Semantic Versioning's precedence.

    >>> Version.parse("1.0.0-rc.1") < Version.parse("1.0.0-rc.2") < Version.parse("1.0.0")
    True
    """

    major: int
    minor: int
    patch: int
    prerelease: str = ""

    def __str__(self) -> str:
        core = f"{self.major}.{self.minor}.{self.patch}"
        return f"{core}-{self.prerelease}" if self.prerelease else core

    @classmethod
    def parse(cls, text: str) -> "Version":
        """Read ``MAJOR.MINOR.PATCH`` with an optional ``-prerelease``.

        Raises:
            MalformedVersion: for anything else, build metadata (``+…``) included.
        """
        match = _SEMVER.fullmatch(text) if len(text) <= 128 else None
        if match is None:
            raise MalformedVersion(
                f"expected a version such as 1.2.0, got {text[:160]!r}",
                hint="versions follow semver.org, without build metadata",
            )
        major, minor, patch, prerelease = match.groups()
        return cls(int(major), int(minor), int(patch), prerelease or "")

    def _precedence(self) -> tuple[object, ...]:
        identifiers = tuple(
            (0, int(part), "") if part.isdigit() else (1, 0, part)
            for part in self.prerelease.split(".")
            if part
        )
        return (self.major, self.minor, self.patch, not self.prerelease, identifiers)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return self._precedence() < other._precedence()


@dataclass(frozen=True, slots=True, order=True)
class KernelVersion:
    """A Linux kernel release; ``6.10`` is newer than ``6.9``.

    >>> KernelVersion.parse("6.18.44-cloud") >= KernelVersion(6, 6)
    True
    """

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @classmethod
    def parse(cls, text: str) -> "KernelVersion":
        """Read the first two numbers of a kernel release.

        Raises:
            MalformedVersion: if there are none.
        """
        match = _KERNEL.match(text)
        if match is None:
            raise MalformedVersion(f"expected a kernel version such as 6.18, got {text[:160]!r}")
        return cls(int(match[1]), int(match[2]))
