"""Blobs: fetched when published; uploaded whole or in chunks.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md , end-2, end-4a,
end-4b, end-5, end-6, end-11, end-13, end-14.
"""

import re
from collections.abc import Iterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from skep.digests import Digest
from skep.marketplace.registry.errors import RangeInvalid, TooLarge, UploadInvalid
from skep.marketplace.registry.http.context import (
    UseCases,
    content_length,
    repository,
    use_cases,
)
from skep.marketplace.registry.uploads import CHUNK_BYTES
from skep.packages.blobs import BlobReader
from skep.packages.oci.media_types import OCTETS

_RANGE = re.compile(r"([0-9]{1,15})-([0-9]{1,15})")  # OCI writes it without a unit


async def get_blob(request: Request) -> Response:
    """GET and HEAD of a published blob.

    HEAD says nothing about what is only pushed, though clients would like to know what they need
    not push again: what is not published is not there, for everybody and for every method.
    """
    name, digest = repository(request), Digest.parse(request.path_params["digest"])
    cases = use_cases(request)
    size = cases.reading.stored_blob_size(name, digest)
    # What a digest names never changes, so any cache may keep it.
    headers = {
        "Docker-Content-Digest": str(digest),
        "Cache-Control": "public, max-age=31536000, immutable",
        # Bytes of strangers, on the origin where pages may be one day: never to be interpreted.
        "Content-Disposition": "attachment",
        "X-Content-Type-Options": "nosniff",
    }
    if cases.file_of is not None:
        return FileResponse(cases.file_of(digest), headers=headers, media_type=OCTETS)
    headers["Content-Length"] = str(size)
    if request.method == "HEAD":
        return Response(headers=headers, media_type=OCTETS)
    return StreamingResponse(_pieces(cases.reading.blobs, digest), 200, headers, OCTETS)


def _pieces(blobs: BlobReader, digest: Digest) -> Iterator[bytes]:
    with blobs.open(digest) as chunks:
        yield from chunks


async def begin_upload(request: Request) -> Response:
    """POST: begin; with ``digest`` the body is the blob; with ``mount`` perhaps nothing is sent."""
    cases, name = use_cases(request), repository(request)
    mounted = request.query_params.get("mount")
    source = request.query_params.get("from")
    if mounted is not None and source is not None:
        digest = Digest.parse(mounted)
        size = cases.reading.blob_size(source, digest)
        if size is not None:
            await run_in_threadpool(cases.uploads.mount, name, digest, size)
            return _created(name, digest)
    upload = await run_in_threadpool(cases.uploads.begin, name)
    whole = request.query_params.get("digest")
    if whole is None:
        return _accepted(name, upload.upload_id, 0)
    try:
        digest = Digest.parse(whole)
        await _receive(request, cases, name, upload.upload_id, 0)
        await run_in_threadpool(cases.uploads.finish, name, upload.upload_id, digest)
    except BaseException:
        # A failed whole upload has no location the client knows: nobody would end it.
        cases.uploads.abandon(name, upload.upload_id)
        raise
    return _created(name, digest)


async def upload_chunk(request: Request) -> Response:
    """PATCH: add a chunk."""
    cases, name, upload_id = use_cases(request), repository(request), _upload_id(request)
    offset = cases.uploads.offset(name, upload_id)
    end = await _receive(request, cases, name, upload_id, _chunk_start(request, offset))
    return _accepted(name, upload_id, end)


async def finish_upload(request: Request) -> Response:
    """PUT: add what is in the body, if anything, and make it the blob that ``digest`` names."""
    cases, name, upload_id = use_cases(request), repository(request), _upload_id(request)
    text = request.query_params.get("digest")
    if text is None:
        raise UploadInvalid("expected ?digest=sha256:… to end an upload")
    digest = Digest.parse(text)
    offset = cases.uploads.offset(name, upload_id)
    await _receive(request, cases, name, upload_id, _chunk_start(request, offset))
    await run_in_threadpool(cases.uploads.finish, name, upload_id, digest)
    return _created(name, digest)


async def upload_status(request: Request) -> Response:
    """GET: how far it is."""
    name, upload_id = repository(request), _upload_id(request)
    offset = use_cases(request).uploads.offset(name, upload_id)
    return Response(status_code=204, headers=_progress(name, upload_id, offset))


async def cancel_upload(request: Request) -> Response:
    """DELETE: end it without a blob."""
    name, upload_id = repository(request), _upload_id(request)
    await run_in_threadpool(use_cases(request).uploads.cancel, name, upload_id)
    return Response(status_code=204)


def _upload_id(request: Request) -> str:
    return str(request.path_params["upload_id"])


def _chunk_start(request: Request, offset: int) -> int:
    """Where the body belongs: where it says, else at the end of what is there."""
    text = request.headers.get("content-range")
    if text is None:
        return offset
    match = _RANGE.fullmatch(text)
    if match is None:
        raise UploadInvalid("expected a Content-Range such as 0-1023")
    start, last = int(match[1]), int(match[2])
    announced = content_length(request)
    if announced is not None and last - start + 1 != announced:
        raise UploadInvalid(f"Content-Range and Content-Length disagree: {text}, {announced}")
    if start != offset:  # before a byte of the body is read
        raise RangeInvalid(f"expected a chunk that begins at byte {offset}, got one at {start}")
    return start


async def _receive(
    request: Request, cases: UseCases, name: str, upload_id: str, offset: int
) -> int:
    """Write the body to the upload, at most 1 MiB in memory; returns the new offset."""
    announced = content_length(request)
    limit = cases.limits.blob_bytes
    if announced is not None and offset + announced > limit:
        await run_in_threadpool(cases.uploads.abandon, name, upload_id)
        raise TooLarge(f"expected a blob of at most {limit} bytes")
    pending = bytearray()
    async for chunk in request.stream():
        pending += chunk
        while len(pending) >= CHUNK_BYTES:
            part = bytes(pending[:CHUNK_BYTES])
            del pending[:CHUNK_BYTES]
            offset = await run_in_threadpool(cases.uploads.append, name, upload_id, offset, part)
    if pending:
        last = bytes(pending)
        offset = await run_in_threadpool(cases.uploads.append, name, upload_id, offset, last)
    return offset


def _progress(name: str, upload_id: str, offset: int) -> dict[str, str]:
    return {
        "Location": f"/v2/{name}/blobs/uploads/{upload_id}",
        "Range": f"0-{max(offset - 1, 0)}",  # that it may be empty cannot be said
        "Docker-Upload-UUID": upload_id,
    }


def _accepted(name: str, upload_id: str, offset: int) -> Response:
    return Response(status_code=202, headers=_progress(name, upload_id, offset))


def _created(name: str, digest: Digest) -> Response:
    return Response(
        status_code=201,
        headers={
            "Location": f"/v2/{name}/blobs/{digest}",
            "Docker-Content-Digest": str(digest),
        },
    )


_UPLOADS = "/v2/{publisher}/{name}/blobs/uploads"

ROUTES = [
    Route(f"{_UPLOADS}/", begin_upload, methods=["POST"]),
    Route(f"{_UPLOADS}/{{upload_id}}", upload_chunk, methods=["PATCH"]),
    Route(f"{_UPLOADS}/{{upload_id}}", finish_upload, methods=["PUT"]),
    Route(f"{_UPLOADS}/{{upload_id}}", upload_status, methods=["GET"]),
    Route(f"{_UPLOADS}/{{upload_id}}", cancel_upload, methods=["DELETE"]),
    Route("/v2/{publisher}/{name}/blobs/{digest}", get_blob, methods=["GET", "HEAD"]),
]
