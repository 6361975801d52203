"""Stock cosign reads what we write."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.builders.trust import signer

from skep.digests import Digest
from skep.trust.bundles import Subject, sign

COSIGN = shutil.which("cosign")
needs_cosign = pytest.mark.skipif(COSIGN is None, reason="cosign is not installed")
MANIFEST = b'{"schemaVersion":2}'


def verify(directory: Path, manifest: bytes, key: bytes) -> subprocess.CompletedProcess[str]:
    bundle = sign(Subject("acme/counting", Digest.of(MANIFEST)), signer())
    (directory / "bundle.json").write_bytes(bundle)
    (directory / "manifest.json").write_bytes(manifest)
    (directory / "key.pub").write_bytes(key)
    assert COSIGN is not None
    return subprocess.run(
        [
            COSIGN,
            "verify-blob-attestation",
            "--bundle",
            "bundle.json",
            "--key",
            "key.pub",
            "--insecure-ignore-tlog=true",
            "--type",
            "https://sigstore.dev/cosign/sign/v1",
            "manifest.json",
        ],
        cwd=directory,
        env={"HOME": str(directory)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@needs_cosign
def test_cosign_verifies_our_bundle(tmp_path: Path) -> None:
    result = verify(tmp_path, MANIFEST, signer().public_key.pem)
    assert result.returncode == 0, result.stderr
    assert "Verified OK" in result.stderr


@needs_cosign
def test_cosign_refuses_our_bundle_for_another_manifest_or_key(tmp_path: Path) -> None:
    assert verify(tmp_path, MANIFEST + b" ", signer().public_key.pem).returncode != 0
    assert verify(tmp_path, MANIFEST, signer("stranger").public_key.pem).returncode != 0
