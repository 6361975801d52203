"""Tags: the versions of a package. Source: end-8 of the OCI distribution specification."""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from skep.errors import UsageError
from skep.marketplace.registry.http.context import repository, use_cases
from skep.packages.oci.tag_list import TagList

_MOST = 1000


async def list_tags(request: Request) -> Response:
    """GET: tags in ASCII order, at most ``n``, after ``last``."""
    name = repository(request)
    tags = use_cases(request).reading.tags(name)
    last = request.query_params.get("last", "")
    count = request.query_params.get("n", str(_MOST))
    if not (count.isascii() and count.isdigit() and len(count) <= 9):
        raise UsageError("expected a number as n")
    rest = [tag for tag in tags if tag > last]
    shown = rest[: min(int(count), _MOST)]
    headers = {}
    if shown and len(shown) < len(rest):
        following = f"/v2/{name}/tags/list?n={len(shown)}&last={quote(shown[-1])}"
        headers["Link"] = f'<{following}>; rel="next"'
    return JSONResponse(TagList(name, tuple(shown)).to_document(), headers=headers)


ROUTES = [Route("/v2/{publisher}/{name}/tags/list", list_tags, methods=["GET"])]
