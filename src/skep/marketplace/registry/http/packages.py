"""Packages and publishers: what Skep's own client asks, beside the OCI specification."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from skep.errors import UsageError
from skep.marketplace.registry.http.context import bounded_body, repository, use_cases
from skep.marketplace.registry.records import PublishedVersion
from skep.packages.wire.package_listing import PackageListing
from skep.packages.wire.publish_request import read_publish_request
from skep.packages.wire.search_answer import SearchAnswer


async def search(request: Request) -> Response:
    """GET ``?q=words&limit=20``: packages, best first."""
    limit = request.query_params.get("limit", "20")
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 9):
        raise UsageError("expected a number as limit")
    hits = use_cases(request).searching.search(request.query_params.get("q", ""), int(limit))
    answer = SearchAnswer(tuple(hit.version.listing() for hit in hits))
    return JSONResponse(answer.to_document())


async def show(request: Request) -> Response:
    """GET: a package with all its versions, newest first."""
    package = repository(request)
    versions = use_cases(request).reading.versions(package)
    listing = PackageListing(package, tuple(version.listing() for version in versions))
    return JSONResponse(listing.to_document())


async def publisher(request: Request) -> Response:
    """GET: a publisher with the keys whose signatures this marketplace accepts for it."""
    record = use_cases(request).reading.publisher(str(request.path_params["publisher"]))
    return JSONResponse(record.listing().to_document())


async def publish(request: Request) -> Response:
    """POST ``{"digest": "sha256:…"}``: publish what was pushed."""
    cases = use_cases(request)
    body = await bounded_body(request, cases.limits.document_bytes, "a request")
    digest = read_publish_request(body).digest
    version: PublishedVersion = await run_in_threadpool(
        cases.publishing.publish, repository(request), digest
    )
    return JSONResponse(version.receipt().to_document(), status_code=201)


ROUTES = [
    Route("/api/v1/search", search, methods=["GET"]),
    Route("/api/v1/publishers/{publisher}", publisher, methods=["GET"]),
    Route("/api/v1/packages/{publisher}/{name}", show, methods=["GET"]),
    Route("/api/v1/packages/{publisher}/{name}/versions", publish, methods=["POST"]),
]
