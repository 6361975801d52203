"""What the analysis says constants switch off, a kernel does not look at."""

import pytest
from tests.builders.loaded_objects import execute
from tests.builders.objects import fixture

from skep.bytecode.analysis.configuring import configure
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.settings import LinkSettings
from skep.kernel.errors import VerifierRefused

pytestmark = pytest.mark.kernel

# `flag` hands an array to a helper for ring buffers: refused wherever that is looked at.
HELPER = "bpf_ringbuf_output"


def load(variables: dict[str, bytes]) -> None:
    object_file = fixture("constants")
    settings = LinkSettings(programs=frozenset({"flag"}), variables=variables)
    execute(link(object_file, None, settings)).close()


def test_what_is_switched_off_is_not_looked_at() -> None:
    assert HELPER in configure(fixture("constants"), {}).helpers
    load({})


def test_what_is_switched_on_is() -> None:
    assert HELPER not in configure(fixture("constants"), {"export": b"\1"}).helpers
    with pytest.raises(VerifierRefused):
        load({"export": b"\1"})
