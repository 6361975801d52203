"""Whose signatures count on this node: public keys in files, one directory for each publisher.

``<root>/trust/<publisher>/<64 hexadecimal digits>.pem``. The node trusts no key until its owner
has put a key there, and a key speaks only for the publisher it was put under: a signature by
another publisher's key is one by a stranger.

The key decides, not the marketplace: a key that is trusted for the publisher ``skep`` *is* ``skep``
here, wherever a package was pulled from. Two marketplaces may have different publishers of one
name; a package of the other one is signed by another key, and so refused (dependency confusion:
somebody else's marketplace with a publisher ``skep`` of its own). Where a key came from is kept in
its file, as a line before the PEM, for people; nothing is decided by it.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from skep.errors import NotFound, NotPermitted, SkepError, UsageError
from skep.file_modes import PUBLIC_FILE, make_directory, replace_file
from skep.node.verified.key_files import key_file
from skep.packages.names import is_publisher_name, one_line
from skep.trust.errors import MalformedKey
from skep.trust.fingerprints import MalformedFingerprint, parse_fingerprint
from skep.trust.keys import PublicKey
from skep.trust.policies import RequireKey

_KEY_LIMIT = 16 * 1024  # bytes of a file; a public key has 178
_WRITABLE_BY_OTHERS = 0o022
_DIGITS = re.compile(r"[0-9a-f]{64}")
_ORIGIN = "Trusted-From: "


class BadPublisherName(UsageError):
    """The text cannot name a publisher."""


class TrustStoreUnsafe(NotPermitted):
    """Others may write where the trusted keys are."""


class NoSuchKey(NotFound):
    """The publisher has no such key here."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key that counts.

    Attributes:
        publisher: it speaks for.
        key: the key.
        since: when it was put here.
        origin: where it came from, as it was noted; empty if it was not.
    """

    publisher: str
    key: PublicKey
    since: datetime
    origin: str


class TrustStore:
    """Trusted public keys by publisher.

    Args:
        directory: made when the first key is added.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def add(self, publisher: str, key: PublicKey, origin: str = "") -> bool:
        """Trust ``key`` for ``publisher``; ``False`` if it was so already, and nothing changes.

        Args:
            publisher: it speaks for.
            key: the key.
            origin: where it came from, for people; one line.

        Raises:
            BadPublisherName: the text cannot name a publisher.
            TrustStoreUnsafe: others may write there.
        """
        directory = self._of(publisher)
        make_directory(directory)
        self._check(directory)
        path = self._path(publisher, key.fingerprint)
        if path.exists():
            return False
        # Nothing in the note may look like the beginning of a PEM.
        note = f"{_ORIGIN}{one_line(re.sub('-{5,}', '-', origin))}\n" if origin else ""
        replace_file(path, note.encode() + key.pem, PUBLIC_FILE)
        return True

    def remove(self, publisher: str, fingerprint: str) -> None:
        """Trust a key no longer; what runs by its signature runs on until it is loaded again.

        No file is read for it: taking away works, whatever others hold.

        Raises:
            BadPublisherName: the text cannot name a publisher.
            MalformedFingerprint: the text is no whole fingerprint.
            NoSuchKey: it was not trusted.
        """
        path = self._path(publisher, parse_fingerprint(fingerprint))
        try:
            path.unlink()
        except FileNotFoundError as error:
            raise NoSuchKey(
                f"{fingerprint} is no trusted key of {publisher}",
                hint="skep keys list",
            ) from error
        except PermissionError as error:
            raise TrustStoreUnsafe(
                f"{path} cannot be removed by this user", hint="run the command with sudo"
            ) from error

    def fingerprints(self, publisher: str) -> tuple[str, ...]:
        """Fingerprints that keys of a publisher are filed under, in order; no file is read.

        Raises:
            BadPublisherName: the text cannot name a publisher.
        """
        names = [path.stem for path in self._of(publisher).glob("[!.]*.pem")]
        return tuple(sorted(f"SHA256:{name}" for name in names if _DIGITS.fullmatch(name)))

    def keys_of(self, publisher: str) -> tuple[PublicKey, ...]:
        """Keys trusted for one publisher; none if it is unknown.

        Raises:
            BadPublisherName: the text cannot name a publisher.
            MalformedKey: a file is no public key.
            TrustStoreUnsafe: others may write there.
        """
        directory = self._of(publisher)
        if not directory.is_dir():
            return ()
        self._check(directory)
        return tuple(_read(path)[0] for path in sorted(directory.glob("[!.]*.pem")))

    def trusted(self, publisher: str) -> tuple[TrustedKey, ...]:
        """Keys of one publisher with what is known about them, the oldest first.

        Raises:
            BadPublisherName, MalformedKey, TrustStoreUnsafe: as :meth:`keys_of`.
        """
        directory = self._of(publisher)
        if not directory.is_dir():
            return ()
        self._check(directory)
        found = []
        for path in directory.glob("[!.]*.pem"):
            key, origin = _read(path)
            since = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            found.append(TrustedKey(publisher, key, since, origin))
        return tuple(sorted(found, key=lambda one: (one.since, one.key.fingerprint)))

    def policy_for(self, publisher: str) -> RequireKey:
        """The default policy: a signature by one of the publisher's keys, or nothing runs.

        Raises:
            BadPublisherName, MalformedKey, TrustStoreUnsafe: as :meth:`keys_of`.
        """
        return RequireKey(self.keys_of(publisher))

    def publishers(self) -> Mapping[str, tuple[PublicKey, ...]]:
        """All publishers with a trusted key, by name.

        Raises:
            MalformedKey, TrustStoreUnsafe: as :meth:`keys_of`.
        """
        if not self._directory.is_dir():
            return {}
        names = sorted(path.name for path in self._directory.iterdir() if path.is_dir())
        found = {name: self.keys_of(name) for name in names if is_publisher_name(name)}
        return {name: keys for name, keys in found.items() if keys}

    def trusted_since(self, publisher: str, fingerprint: str) -> datetime | None:
        """When the key was put here; ``None`` if it is not trusted."""
        try:
            path = self._path(publisher, parse_fingerprint(fingerprint))
        except MalformedFingerprint:
            return None
        if not path.is_file():
            return None
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def _of(self, publisher: str) -> Path:
        # A publisher's name has no separator and no dot: it cannot lead elsewhere.
        if not is_publisher_name(publisher):
            raise BadPublisherName(
                f"expected a publisher's name, got {one_line(publisher, 80)!r}",
                hint="the part of a package name before the slash",
            )
        return self._directory / publisher

    def _path(self, publisher: str, fingerprint: str) -> Path:
        self._of(publisher)
        return key_file(self._directory, publisher, fingerprint)

    def _check(self, directory: Path) -> None:
        # Whoever can add a key decides what runs as root.
        for path in (self._directory, directory):
            facts = path.lstat()
            if facts.st_uid not in {os.geteuid(), 0} or facts.st_mode & _WRITABLE_BY_OTHERS:
                raise TrustStoreUnsafe(
                    f"expected {path} to be writable by its owner alone",
                    hint=f"look at the keys in it, then chmod 700 {path}",
                )


def _read(path: Path) -> tuple[PublicKey, str]:
    """The key in a file, and where it came from."""
    try:
        with path.open("rb") as file:
            data = file.read(_KEY_LIMIT + 1)
        first = data.partition(b"\n")[0].decode("utf-8", "replace")
        origin = one_line(first.removeprefix(_ORIGIN)) if first.startswith(_ORIGIN) else ""
        return PublicKey.from_pem(data), origin  # RFC 7468 allows text before the PEM
    except SkepError as error:
        raise MalformedKey(
            f"{path} is no public key of a publisher: {error.message}",
            hint="remove it, and add the key again",
        ) from error
