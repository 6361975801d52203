"""Stock cosign verifies what this marketplace serves."""

import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.builders.published import NAME, make_package
from tests.builders.pushing import RawClient
from tests.builders.trust import signer

COSIGN = shutil.which("cosign")


@pytest.mark.skipif(COSIGN is None, reason="cosign is not installed")
@pytest.mark.parametrize("who", ["publisher", "stranger"])
def test_cosign_verifies_a_published_package_with_its_key_only(
    client: RawClient, tmp_path: Path, who: str
) -> None:
    package = make_package()
    client.push_all(package)
    key = tmp_path / "key.pub"
    key.write_bytes(signer(who).public_key.pem)
    host = urlsplit(client._url).netloc
    assert COSIGN is not None
    result = subprocess.run(
        [
            COSIGN,
            "verify",
            "--key",
            str(key),
            "--insecure-ignore-tlog=true",
            "--allow-http-registry",
            f"{host}/{NAME}@{package.manifest.digest}",
        ],
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode == 0) == (who == "publisher"), result.stderr
    if who == "publisher":
        assert str(package.manifest.digest) in result.stdout
