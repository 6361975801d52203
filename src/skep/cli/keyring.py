"""The signing keys of this user: one private key per name, readable by nobody else."""

import re
from dataclasses import dataclass
from pathlib import Path

from skep.errors import Conflict, Misnamed, NotFound, SkepError, UsageError
from skep.file_modes import (
    PRIVATE_FILE,
    PUBLIC_FILE,
    create_file,
    make_directory,
    replace_file,
)
from skep.trust.keys import PublicKey, Signer, create_private_key, load_private_key

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys in a directory: ``<name>.key`` (private, mode 0600) and ``<name>.pub``."""

    directory: Path

    def _path(self, name: str, suffix: str) -> Path:
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"expected a key name of lower-case letters, digits, '.', '_' and '-', got {name!r}"
            )
        return self.directory / f"{name}{suffix}"

    def create(self, name: str) -> PublicKey:
        """Make a P-256 key pair.

        Raises:
            Conflict: there is a key of this name; keys are never overwritten.
        """
        private, public = self._path(name, ".key"), self._path(name, ".pub")
        make_directory(self.directory)
        pem = create_private_key()
        signer = load_private_key(pem)
        try:
            # (1) Created closed: the key is at no time readable by others, nor replaced.
            create_file(private, pem, PRIVATE_FILE)
        except FileExistsError as error:
            raise Conflict(
                f"there is a key {name!r} already: {private}", hint="choose another name"
            ) from error
        try:
            replace_file(public, signer.public_key.pem, PUBLIC_FILE)
        except BaseException:
            private.unlink(missing_ok=True)  # half a pair would be in the way of the next try
            raise
        return signer.public_key

    def signer(self, name: str) -> Signer:
        """The private key called ``name``.

        Raises:
            NotFound: there is none.
            UsageError: others may read it.
        """
        path = self._path(name, ".key")
        try:
            mode = path.stat().st_mode
            pem = path.read_bytes()
        except FileNotFoundError as error:
            raise self._missing(name, f"skep keys create {name}") from error
        # (2) A key that others could read may have been copied: do not sign with it silently.
        if mode & 0o077:
            raise UsageError(
                f"others may read {path} (mode {mode & 0o777:o})", hint=f"chmod 600 {path}"
            )
        return load_private_key(pem)

    def remove(self, name: str) -> str:
        """Delete a key pair for good; gives its fingerprint, empty if the public half is damaged.

        Raises:
            NotFound: there is none.
        """
        private, public = self._path(name, ".key"), self._path(name, ".pub")
        self.require(name)
        try:
            fingerprint = self.public(name).fingerprint
        except SkepError:
            fingerprint = ""
        # The private half first: a crash in between leaves nothing to sign with.
        private.unlink(missing_ok=True)
        public.unlink(missing_ok=True)
        return fingerprint

    def public(self, name: str) -> PublicKey:
        """The public key called ``name``.

        Raises:
            NotFound: there is none.
        """
        try:
            return PublicKey.from_pem(self._path(name, ".pub").read_bytes())
        except FileNotFoundError as error:
            raise self._missing(name) from error

    def require(self, name: str) -> None:
        """Demand that there is at least half of a key pair of this name.

        Raises:
            NotFound: there is none.
        """
        if not any(self._path(name, suffix).exists() for suffix in (".key", ".pub")):
            raise self._missing(name)

    def _missing(self, name: str, hint: str = "skep keys list") -> NotFound:
        return NotFound(
            f"there is no key {name!r} in {self.directory}; keys there: "
            f"{', '.join(self.names()) or 'none'}",
            hint=hint,
            misnamed=Misnamed(name, tuple(self.names())),
        )

    def names(self) -> list[str]:
        """All names, in order."""
        return sorted(path.stem for path in self.directory.glob("*.key"))
