"""Referrers: what was published about a manifest. Source: end-12 of the OCI specification."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skep.digests import Digest
from skep.marketplace.registry.http.context import repository, use_cases
from skep.packages.oci.manifests import ImageIndex
from skep.packages.oci.media_types import INDEX


async def list_referrers(request: Request) -> Response:
    """GET: an image index; an empty one, never 404, where there is nothing."""
    digest = Digest.parse(request.path_params["digest"])
    found = use_cases(request).reading.referrers(repository(request), digest)
    headers = {"Content-Type": INDEX}
    wanted = request.query_params.get("artifactType")
    if wanted is not None:
        found = [descriptor for descriptor in found if descriptor.artifact_type == wanted]
        headers["OCI-Filters-Applied"] = "artifactType"
    return Response(ImageIndex(tuple(found)).to_bytes(), headers=headers)


ROUTES = [Route("/v2/{publisher}/{name}/referrers/{digest}", list_referrers, methods=["GET"])]
