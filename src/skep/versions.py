"""Versions: of packages (Semantic Versioning 2.0.0) and of kernels (pairs of numbers).

Sources: https://semver.org/spec/v2.0.0.html ; kernel releases as ``uname -r`` prints them.
"""

import re
from collections.abc import Iterable
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

# Releases of vendors that bring features to kernels without changing the version, by what their
# ``uname -r`` has. Ubuntu's generic kernels, Debian's, Fedora's and Arch's are not among them.
_BACKPORTING = (
    ("Oracle Linux (UEK)", re.compile(r"uek")),
    ("Red Hat Enterprise Linux or a relative", re.compile(r"\.(?:el|rhel)[0-9]")),
    ("Android", re.compile(r"android|-gki\b|-ab[0-9]{6,}")),
    ("SUSE", re.compile(r"-(?:lp)?[0-9]+\.[0-9.]+-(?:default|azure|preempt|rt|kvmsmall|64kb)\b")),
    ("SUSE", re.compile(r"-(?:lp)?[0-9]{5,}(?:[.-]|$)")),
    ("Amazon Linux", re.compile(r"\.amzn[0-9]")),
    ("Alibaba Cloud Linux or Anolis", re.compile(r"\.(?:al|an)[0-9]|alnx")),
    ("TencentOS", re.compile(r"tlinux|\.tl[0-9]")),
    ("openEuler or a relative", re.compile(r"\.oe[0-9]|\.hce[0-9]|\.ky[0-9]|\.uel[0-9c]|\.euler")),
    (
        "a cloud's vendor",
        re.compile(r"-(?:aws|azure|gcp|gke|gkeop|oracle|ibm|cloud|kvm|fips)\b|\+cloud|cos-"),
    ),
)


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


def newness(version: Version) -> tuple[bool, Version]:
    """Order of versions on offer: any release comes after every version before a release."""
    return (not version.prerelease, version)


def newest(versions: Iterable[Version]) -> Version | None:
    """The newest version, which references without one mean; ``None`` without any.

    It is the highest release. A version before a release is only meant if there is no release:
    whoever wants one names it.

    >>> str(newest(map(Version.parse, ("1.10.0", "1.9.0", "2.0.0-rc.1"))))
    '1.10.0'
    """
    return max(versions, key=newness, default=None)


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


def backporting_vendor(release: str) -> str:
    """Whose kernel it is, if features may be in it that its version does not tell; else empty.

    Args:
        release: as ``uname -r`` prints it.

    >>> backporting_vendor("4.18.0-553.el8_10.x86_64")
    'Red Hat Enterprise Linux or a relative'
    >>> backporting_vendor("6.1.0-28-amd64")
    ''
    """
    for vendor, pattern in _BACKPORTING:
        if pattern.search(release):
            return vendor
    return ""
