"""Finding what is installed by its name."""

import pytest

from skep.node.looking.listing import NoSuchDeployment, find_installed


def test_a_name_nobody_has_is_told_with_those_there_are() -> None:
    with pytest.raises(NoSuchDeployment, match=r"^there is no deployment 'nope'$") as caught:
        find_installed((), "nope")
    assert caught.value.hint == "deployments: none"
