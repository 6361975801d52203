"""A client that does exactly what a test says, over a real socket; no manners of its own."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import urllib3
from tests.builders.published import NAME, make_signature

from skep.digests import Digest
from skep.packages.content import Package
from skep.packages.oci.media_types import MANIFEST
from skep.trust.keys import Signer


class RawClient:
    """Requests to one server; no redirects, no retries."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(
            num_pools=1, retries=False, timeout=urllib3.Timeout(connect=60, read=60)
        )

    def close(self) -> None:
        self._pool.clear()

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        return self._pool.request(
            method, self._url + path, body=body, headers=dict(headers or {}), redirect=False
        )

    def push_blob(self, data: bytes, name: str = NAME) -> urllib3.BaseHTTPResponse:
        digest = quote(str(Digest.of(data)), safe="")
        return self("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", data)

    def push_manifest(
        self, data: bytes, name: str = NAME, reference: str = ""
    ) -> urllib3.BaseHTTPResponse:
        return self(
            "PUT",
            f"/v2/{name}/manifests/{reference or Digest.of(data)}",
            data,
            {"Content-Type": MANIFEST},
        )

    def push(self, package: Package, name: str = NAME) -> None:
        """Blobs and manifest of a package, without a signature."""
        for digest, data in package.blobs.items():
            if digest != package.manifest.digest:
                assert self.push_blob(data, name).status == 201
        assert self.push_manifest(package.manifest_data, name).status == 201

    def push_signature(
        self,
        package: Package,
        by: Signer | None = None,
        name: str = NAME,
        bundle: bytes | None = None,
    ) -> Digest:
        manifest, blobs = make_signature(package.manifest, by, bundle=bundle)
        for data in blobs.values():
            assert self.push_blob(data, name).status == 201
        assert self.push_manifest(manifest, name).status == 201
        return Digest.of(manifest)

    def publish(self, package: Package, name: str = NAME) -> urllib3.BaseHTTPResponse:
        body = json.dumps({"digest": str(package.manifest.digest)})
        return self("POST", f"/api/v1/packages/{name}/versions", body)

    def push_all(self, package: Package, name: str = NAME) -> urllib3.BaseHTTPResponse:
        """Push, sign and publish."""
        self.push(package, name)
        self.push_signature(package, name=name)
        return self.publish(package, name)


def error_of(response: urllib3.BaseHTTPResponse) -> dict[str, str]:
    """The one error in an answer."""
    (error,) = response.json()["errors"]
    assert isinstance(error, dict)
    return error
