"""What travels between the stages is a value: once made, it does not change."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import skep.chains
import skep.node.converging
import skep.packages
import skep.trust

# Filled while something is read or done, and seen by one function and its caller only.
FILLED = {
    "skep.chains.redirecting._Ends",
    "skep.node.converging.inspecting._Targets",
    "skep.node.converging.reconciling.Reconciled",
}


def _data_classes(package: str) -> Iterator[type]:
    path = importlib.import_module(package).__path__
    for module in pkgutil.walk_packages(path, f"{package}."):
        for each in vars(importlib.import_module(module.name)).values():
            is_ours = getattr(each, "__module__", "") == module.name
            if is_ours and isinstance(each, type) and dataclasses.is_dataclass(each):
                yield each


@pytest.mark.parametrize(
    "package",
    [each.__name__ for each in (skep.chains, skep.node.converging, skep.packages, skep.trust)],
)
def test_data_classes_are_frozen(package: str) -> None:
    changeable = {
        f"{each.__module__}.{each.__qualname__}"
        for each in _data_classes(package)
        if not each.__dataclass_params__.frozen  # type: ignore[attr-defined]
    }
    assert changeable == {name for name in FILLED if name.startswith(f"{package}.")}
