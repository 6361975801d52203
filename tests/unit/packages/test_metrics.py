from skep.packages.metrics import metric_number


def test_the_number_is_the_sum_over_cpus() -> None:
    assert metric_number([]) == 0
    assert metric_number([b"\xff" * 8, b"\x01" + bytes(7)]) == 2**64
