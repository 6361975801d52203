"""What handlers share: the use cases, and how they get at paths and bodies."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from starlette.requests import Request

from skep.digests import Digest
from skep.marketplace.registry.errors import TooLarge, UploadInvalid
from skep.marketplace.registry.manifests import Manifests
from skep.marketplace.registry.publishing import Publishing
from skep.marketplace.registry.reading import Reading
from skep.marketplace.registry.searching import Searching
from skep.marketplace.registry.settings import Limits
from skep.marketplace.registry.uploads import Uploads


@dataclass(frozen=True, slots=True)
class UseCases:
    """Everything a handler may ask.

    Attributes:
        file_of: where the bytes of a blob lie, if blobs are files; servers send those faster.
    """

    uploads: Uploads
    manifests: Manifests
    reading: Reading
    publishing: Publishing
    searching: Searching
    limits: Limits
    file_of: Callable[[Digest], Path] | None = None


def use_cases(request: Request) -> UseCases:
    """The use cases of this application."""
    return cast("UseCases", request.app.state.use_cases)


def repository(request: Request) -> str:
    """``publisher/name`` from the path; use cases check it before anything else."""
    return f"{request.path_params['publisher']}/{request.path_params['name']}"


def content_length(request: Request) -> int | None:
    """Bytes the client announces, ``None`` if it does not.

    Raises:
        UploadInvalid: it is not a number.
    """
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise UploadInvalid("expected a number of bytes as Content-Length")
    return int(text)


async def bounded_body(request: Request, limit_bytes: int, what: str) -> bytes:
    """The whole body, if it is small.

    Raises:
        TooLarge: it is announced or turns out to be larger.
    """
    problem = f"expected {what} of at most {limit_bytes} bytes"
    announced = content_length(request)
    if announced is not None and announced > limit_bytes:
        raise TooLarge(problem)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise TooLarge(problem)
    return bytes(body)
