from pathlib import Path

import pytest
from benchmarks.btf_index import Measured, measure

from skep.kernel.kernel_types import VMLINUX


@pytest.mark.skipif(not Path(VMLINUX).exists(), reason="this kernel was built without types")
def test_the_index_is_measured_on_this_kernel() -> None:
    measured = measure()
    assert measured.types > 1000
    assert 0 < measured.later <= measured.later_median


def test_ratios_are_to_the_bounds() -> None:
    document = Measured(10, 0.5, 0.015, 0.03).document()
    assert document["first_ratio_to_bound"] == 0.5
    assert document["later_ratio_to_bound"] == 0.5
