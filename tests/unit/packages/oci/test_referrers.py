import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.builders.packages import BUNDLE_DATA, package

from skep.digests import Digest
from skep.json_documents import MalformedDocument
from skep.packages.oci.descriptors import EMPTY_DESCRIPTOR, Descriptor
from skep.packages.oci.manifests import ImageManifest, parse_manifest
from skep.packages.oci.referrers import bundle_layer, bundle_referrer
from skep.sigstore import BUNDLE, LARGEST_BUNDLE

SUBJECT = package().manifest


def test_a_referrer_has_the_form_cosign_reads() -> None:
    manifest, blobs = bundle_referrer(SUBJECT, BUNDLE_DATA)
    document = json.loads(manifest)
    assert document["artifactType"] == BUNDLE
    assert document["config"] == {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "size": 2,
    }
    assert [layer["mediaType"] for layer in document["layers"]] == [BUNDLE]
    assert document["subject"] == {
        "mediaType": SUBJECT.media_type,
        "digest": str(SUBJECT.digest),
        "size": SUBJECT.size,
    }
    assert document["annotations"] == {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1",
    }
    assert set(blobs.values()) == {b"{}", BUNDLE_DATA}
    assert all(Digest.of(data) == digest for digest, data in blobs.items())


def test_a_time_is_written_only_if_there_is_one() -> None:
    moment = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    manifest, _ = bundle_referrer(SUBJECT, BUNDLE_DATA, created=moment)
    annotations = json.loads(manifest)["annotations"]
    assert annotations["org.opencontainers.image.created"] == "2026-11-23T08:00:00Z"


def test_the_bundle_is_found_again() -> None:
    manifest, blobs = bundle_referrer(SUBJECT, BUNDLE_DATA)
    assert blobs[bundle_layer(parse_manifest(manifest)).digest] == BUNDLE_DATA


GOOD = ImageManifest(EMPTY_DESCRIPTOR, (Descriptor.of(BUNDLE_DATA, BUNDLE),), BUNDLE, SUBJECT)


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(replace(GOOD, artifact_type="application/x"), id="other-kind"),
        pytest.param(replace(GOOD, layers=()), id="no-bundle"),
        pytest.param(replace(GOOD, layers=GOOD.layers * 2), id="two-bundles"),
        pytest.param(
            replace(GOOD, layers=(Descriptor.of(b"", "text/plain"),)), id="no-bundle-type"
        ),
        pytest.param(
            replace(GOOD, layers=(replace(GOOD.layers[0], size=LARGEST_BUNDLE + 1),)), id="huge"
        ),
    ],
)
def test_what_is_no_bundle_referrer_is_refused(manifest: ImageManifest) -> None:
    with pytest.raises(MalformedDocument):
        bundle_layer(manifest)
