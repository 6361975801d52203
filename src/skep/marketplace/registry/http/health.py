"""Health: is it there, and does it speak the registry's language?"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from skep.packages.wire.health import health_document


async def health(_: Request) -> Response:
    """GET: it answers."""
    return JSONResponse(health_document())


async def version_check(_: Request) -> Response:
    """GET ``/v2/``: end-1 of the OCI distribution specification."""
    return JSONResponse({}, headers={"Docker-Distribution-Api-Version": "registry/2.0"})


ROUTES = [
    Route("/healthz", health, methods=["GET"]),
    Route("/v2/", version_check, methods=["GET"]),
]
