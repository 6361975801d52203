"""Errors as answers: one table from error class to the code of the OCI specification.

The status is the family's, from :data:`skep.errors.FAMILIES`, except where the specification
demands another one. The body: :mod:`skep.packages.wire.error_answer`.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#error-codes
"""

import logging

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from skep.digests import DigestMismatch, MalformedDigest
from skep.errors import (
    NotPermitted,
    SkepError,
    Unavailable,
    Unsupported,
    codes,
)
from skep.marketplace.registry import errors as registry
from skep.packages import blobs
from skep.packages.wire.error_answer import ErrorAnswer

log = logging.getLogger(__name__)

_CODES: tuple[tuple[type[SkepError], str, int | None], ...] = (
    # error class, code, status where the specification demands one; first match wins
    (registry.NameInvalid, "NAME_INVALID", None),
    (registry.RepositoryUnknown, "NAME_UNKNOWN", None),
    (registry.BlobUnknown, "BLOB_UNKNOWN", None),
    (blobs.NoSuchBlob, "BLOB_UNKNOWN", None),
    (registry.ManifestUnknown, "MANIFEST_UNKNOWN", None),
    (registry.ManifestBlobUnknown, "MANIFEST_BLOB_UNKNOWN", None),
    (registry.ManifestInvalid, "MANIFEST_INVALID", None),
    (registry.UploadUnknown, "BLOB_UPLOAD_UNKNOWN", None),
    (blobs.NoSuchUpload, "BLOB_UPLOAD_UNKNOWN", None),
    (registry.UploadInvalid, "BLOB_UPLOAD_INVALID", None),
    (registry.RangeInvalid, "BLOB_UPLOAD_INVALID", 416),
    (registry.TooLarge, "SIZE_INVALID", 413),
    (blobs.BlobTooLarge, "SIZE_INVALID", 413),
    (DigestMismatch, "DIGEST_INVALID", 400),
    (MalformedDigest, "DIGEST_INVALID", None),
    (NotPermitted, "UNAUTHORIZED", None),
    (Unsupported, "UNSUPPORTED", None),
    (Unavailable, "TOOMANYREQUESTS", None),
    # The specification has no word for the others: their code is their family, in capitals.
)


def _answer(status: int, code: str, message: str, **more: str) -> JSONResponse:
    return JSONResponse(ErrorAnswer(code, message, **more).to_document(), status)


def answer_skep_error(request: Request, error: Exception) -> Response:
    """Tell what was expected, what came, and what to do."""
    if not isinstance(error, SkepError):
        return answer_unexpected(request, error)
    family = error.family.upper().replace("-", "_")
    code, status = next(
        ((code, status) for kind, code, status in _CODES if isinstance(error, kind)),
        (family, None),
    )
    return _answer(
        status or codes(error).http_status,
        code,
        error.message,
        detail=error.detail,
        hint=error.hint,
        family=error.family,
    )


def answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer an unknown path or method."""
    if not isinstance(error, HTTPException):
        return answer_unexpected(request, error)
    code = {404: "NOT_FOUND", 405: "UNSUPPORTED"}.get(error.status_code, "BAD_REQUEST")
    answer = _answer(error.status_code, code, f"{request.method} is not possible here")
    answer.headers.update(error.headers or {})
    return answer


def answer_nobody(_: Request, __: Exception) -> Response:
    """The client went away in the middle of its request; nobody reads this."""
    return Response(status_code=400)


def answer_unexpected(_: Request, error: Exception) -> Response:
    """A mistake of ours; strangers learn nothing more, the log everything."""
    log.error("request failed unexpectedly", exc_info=error)
    return _answer(500, "INTERNAL", "internal error of the marketplace; it was logged")
