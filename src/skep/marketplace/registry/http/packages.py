"""Packages and publishers: what Skep's own client asks, beside the OCI specification."""

from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from skep.digests import Digest
from skep.errors import Malformed, UsageError
from skep.json_documents import parse_table
from skep.marketplace.registry.http.context import bounded_body, repository, use_cases
from skep.marketplace.registry.records import PublishedVersion


async def search(request: Request) -> Response:
    """GET ``?q=words&limit=20``: packages, best first."""
    limit = request.query_params.get("limit", "20")
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 9):
        raise UsageError("expected a number as limit")
    hits = use_cases(request).searching.search(request.query_params.get("q", ""), int(limit))
    return JSONResponse(
        {"schema": "skep.search/v1", "packages": [hit.to_document() for hit in hits]}
    )


async def show(request: Request) -> Response:
    """GET: a package with all its versions, newest first."""
    package = repository(request)
    versions = use_cases(request).reading.versions(package)
    return JSONResponse(
        {
            "schema": "skep.package/v1",
            "package": package,
            "versions": [version.to_document() for version in versions],
        }
    )


async def publisher(request: Request) -> Response:
    """GET: a publisher with the keys whose signatures this marketplace accepts for it."""
    record = use_cases(request).reading.publisher(str(request.path_params["publisher"]))
    return JSONResponse(record.to_document())


async def publish(request: Request) -> Response:
    """POST ``{"digest": "sha256:…"}``: publish what was pushed."""
    cases = use_cases(request)
    body = await bounded_body(request, cases.limits.document_bytes, "a request")
    digest = _wanted_digest(parse_table(body, "request"))
    version: PublishedVersion = await run_in_threadpool(
        cases.publishing.publish, repository(request), digest
    )
    return JSONResponse(version.receipt(), status_code=201)


def _wanted_digest(document: Mapping[str, object]) -> Digest:
    text = document.get("digest")
    if not isinstance(text, str):
        raise Malformed('request: expected {"digest": "sha256:…"}')
    return Digest.parse(text)


ROUTES = [
    Route("/api/v1/search", search, methods=["GET"]),
    Route("/api/v1/publishers/{publisher}", publisher, methods=["GET"]),
    Route("/api/v1/packages/{publisher}/{name}", show, methods=["GET"]),
    Route("/api/v1/packages/{publisher}/{name}/versions", publish, methods=["POST"]),
]
