"""The newest version; kernel releases whose version does not tell what is in them."""

import pytest

from skep.versions import Version, backporting_vendor, newest


@pytest.mark.parametrize(
    ("release", "vendor"),
    [
        ("3.10.0-1160.119.1.el7.x86_64", "Red Hat"),
        ("4.18.0-553.el8_10.x86_64", "Red Hat"),
        ("5.14.0-427.13.1.el9_4.aarch64", "Red Hat"),
        ("6.12.0-55.9.1.el10_0.x86_64", "Red Hat"),
        ("5.15.0-205.149.5.1.el9uek.x86_64", "Oracle"),
        ("5.4.17-2136.330.7.1.el7uek.x86_64", "Oracle"),
        ("5.10.209-android12-9-00011-gabcdef012345", "Android"),
        ("6.1.75-android14-11-g0123456789ab-ab11000000", "Android"),
        ("4.12.14-122.173-default", "SUSE"),
        ("5.14.21-150500.55.73-default", "SUSE"),
        ("4.12.14-lp151.28.36-default", "SUSE"),
        ("6.4.0-150600.23.25-rt", "SUSE"),
        ("4.14.336-257.566.amzn2.x86_64", "Amazon"),
        ("5.10.134-16.3.al8.x86_64", "Alibaba"),
        ("5.10.0-216.0.0.115.oe2203sp4.x86_64", "openEuler"),
        ("5.15.0-1051-aws", "cloud"),
        ("6.1.0-28-cloud-amd64", "cloud"),
        ("5.15.0-1054-azure", "cloud"),
    ],
)
def test_of_vendors_that_backport_the_vendor_is_named(release: str, vendor: str) -> None:
    assert vendor in backporting_vendor(release)


@pytest.mark.parametrize(
    "release",
    [
        "5.10",
        "6.1.0-28-amd64",
        "6.8.0-45-generic",
        "6.11.4-301.fc41.x86_64",
        "6.10.3-arch1-1",
        "6.9.1-1-default",
        "5.15.153.1-microsoft-standard-WSL2",
        "6.6.32-rt32",
        "6.12.0-rc3",
    ],
)
def test_of_others_the_version_counts(release: str) -> None:
    assert backporting_vendor(release) == ""


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param(("1.9.0", "1.10.0", "1.2.0"), "1.10.0", id="numbers-not-texts"),
        pytest.param(("1.0.0", "2.0.0-rc.1"), "1.0.0", id="a-release-wins"),
        pytest.param(("2.0.0-rc.1", "2.0.0-rc.10"), "2.0.0-rc.10", id="no-release"),
    ],
)
def test_the_newest_is_the_highest_release(texts: tuple[str, ...], expected: str) -> None:
    for order in (texts, texts[::-1]):
        assert str(newest(map(Version.parse, order))) == expected


def test_none_of_none_is_the_newest() -> None:
    assert newest(()) is None
