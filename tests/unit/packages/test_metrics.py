import pytest

from skep.packages.errors import UnusableSetting
from skep.packages.metrics import MetricSpec, metric_number


def test_the_key_is_little_endian_in_the_width_of_the_map() -> None:
    assert MetricSpec("m", "map", key=258).key_bytes(4) == b"\x02\x01\0\0"


@pytest.mark.parametrize("width", [0, 1, 9])
def test_a_key_the_map_cannot_have_is_the_packages_fault(width: int) -> None:
    with pytest.raises(UnusableSetting):
        MetricSpec("m", "map", key=256).key_bytes(width)


def test_the_number_is_the_sum_over_cpus() -> None:
    assert metric_number([]) == 0
    assert metric_number([b"\xff" * 8, b"\x01" + bytes(7)]) == 2**64
