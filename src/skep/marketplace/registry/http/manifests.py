"""Manifests: by tag and digest when published; pushed, they wait to be published.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md , end-3, end-7a.
"""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skep.marketplace.registry.http.context import bounded_body, repository, use_cases
from skep.marketplace.registry.records import ManifestRecord


async def get_manifest(request: Request) -> Response:
    """GET and HEAD of a published manifest; what is only pushed is not there for either."""
    record = use_cases(request).reading.manifest(
        repository(request), str(request.path_params["reference"])
    )
    return Response(
        b"" if request.method == "HEAD" else record.data,
        headers={
            "Content-Type": record.descriptor.media_type,
            "Content-Length": str(len(record.data)),
            "Docker-Content-Digest": str(record.digest),
            "ETag": f'"{record.digest}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


async def put_manifest(request: Request) -> Response:
    """PUT: take a manifest; it is visible once it is published."""
    cases, name = use_cases(request), repository(request)
    data = await bounded_body(request, cases.limits.manifest_bytes, "a manifest")
    record: ManifestRecord = await run_in_threadpool(
        cases.manifests.stage,
        name,
        str(request.path_params["reference"]),
        request.headers.get("content-type", ""),
        data,
    )
    headers = {
        "Location": f"/v2/{name}/manifests/{record.digest}",
        "Docker-Content-Digest": str(record.digest),
    }
    if record.subject is not None:
        # Without it, clients write a fallback tag, because they think referrers are not kept.
        headers["OCI-Subject"] = str(record.subject)
    return Response(status_code=201, headers=headers)


_PATH = "/v2/{publisher}/{name}/manifests/{reference}"

ROUTES = [
    Route(_PATH, get_manifest, methods=["GET", "HEAD"]),
    Route(_PATH, put_manifest, methods=["PUT"]),
]
