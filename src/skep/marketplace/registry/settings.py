"""What the owner of a marketplace decides before it starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Limits:
    """How much strangers may use.

    Attributes:
        manifest_bytes: per manifest; 4 MiB is what the OCI specification asks for.
        blob_bytes: per blob; objects have some 10 kB, with BTF of a whole kernel a few MB.
        document_bytes: per request to the API.
        staged_bytes: pushed but not published, all publishers together.
        open_uploads: at one time.
        upload_seconds: from the start of an upload to its end.
        staged_seconds: from a push to its publication.
    """

    manifest_bytes: int = 4 << 20
    blob_bytes: int = 32 << 20
    document_bytes: int = 64 << 10
    staged_bytes: int = 1 << 30
    open_uploads: int = 256
    upload_seconds: int = 3600
    staged_seconds: int = 24 * 3600


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """A marketplace.

    Attributes:
        directory: where everything is kept; made if it does not exist.
        host: address to listen on. The server speaks plain HTTP; behind anything but loopback
            it belongs behind a proxy with TLS.
        port: 0 takes a free one.
        publishers: who may publish: public keys in PEM by publisher (the part of a package name
            before the slash).
        limits: how much strangers may use.
    """

    directory: Path
    host: str = "127.0.0.1"
    port: int = 8750
    publishers: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
