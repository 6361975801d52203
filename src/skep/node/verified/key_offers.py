"""Keys a marketplace offers for a publisher, made fit to be shown to a person who decides.

The marketplace is not trusted: it, or another server in its place, may lie.
What it can do is offer keys of its own under a publisher's name, which is why a person compares
fingerprints before anything is trusted. So what is shown must be what would be trusted:

1. the answer was bounded and is about this publisher (the client's checks);
2. every key is a public key of the kind we accept, or none of them counts: a list of which half is
   left out would not be what the publisher's page shows;
3. fingerprints are computed here from the key itself; one that the marketplace states otherwise
   refuses the whole answer, as it would be shown to somebody on another screen;
4. a key that comes twice is one key.
"""

from collections.abc import Sequence

from skep.errors import Malformed, Untrusted
from skep.packages.client.errors import MalformedAnswer
from skep.packages.names import one_line
from skep.packages.wire.publisher_listing import PublisherListing
from skep.trust.errors import MalformedKey, UnsupportedKey
from skep.trust.fingerprints import parse_fingerprint
from skep.trust.keys import PublicKey


def read_offer(listing: PublisherListing) -> tuple[PublicKey, ...]:
    """The keys of a publisher, in the order they were offered.

    Raises:
        MalformedAnswer: 2 and 3.
    """
    found: dict[str, PublicKey] = {}
    for offered in listing.keys:
        # (2)
        try:
            key = PublicKey.from_pem(offered.pem.encode("ascii"))
        except (MalformedKey, UnsupportedKey, UnicodeEncodeError) as error:
            said = error.message if isinstance(error, Malformed | UnsupportedKey) else "no ASCII"
            raise MalformedAnswer(
                f"a key the marketplace has for {listing.name} is not usable: {said}",
                hint="tell the marketplace's owner; with the key in a file, use skep keys trust"
                f" {listing.name} FILE",
            ) from error
        # (3)
        if offered.fingerprint != key.fingerprint:
            raise MalformedAnswer(
                f"the marketplace calls a key of {listing.name} {one_line(offered.fingerprint)!r},"
                f" it is {key.fingerprint}",
                hint="trust nothing from this marketplace until its owner has explained this",
            )
        # (4)
        found.setdefault(key.fingerprint, key)
    return tuple(found.values())


class AnotherKey(Untrusted):
    """None of the keys at hand has the fingerprint a person named."""


def choose(keys: Sequence[PublicKey], fingerprint: str, marketplace: str) -> PublicKey:
    """The key that a person named by its whole fingerprint.

    Args:
        keys: that are offered.
        fingerprint: as it was typed.
        marketplace: that offers them, as people call it.

    Raises:
        MalformedFingerprint: the text is no whole fingerprint.
        AnotherKey: none of the keys has it.
    """
    wanted = parse_fingerprint(fingerprint)
    for key in keys:
        if key.fingerprint == wanted:
            return key
    raise AnotherKey(
        f"{marketplace} has {' and '.join(key.fingerprint for key in keys)}, not {wanted}",
        hint="ask the publisher which key is theirs, by another way than through this marketplace",
    )
