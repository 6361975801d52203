"""Trusting a publisher's key: from a file, or offered by a marketplace and compared by a person.

Whoever answers for a marketplace could offer keys of its own, and a key that is trusted decides
what runs as root. So:

1. Off a terminal, the key is named by its whole fingerprint; ``--yes`` says nothing about *which*
   key, and is refused.
2. On a terminal, every key is shown whole before the question, with those that are trusted already.
3. If the publisher has a key here that is not among them, that is said: it may have changed its
   key, or this may be another publisher of that name.
4. What is trusted is the keys that were shown; nothing is fetched again.
5. A file is the decision: whoever names it has the key from somewhere.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from skep.cli.asking import connected, known_marketplaces
from skep.cli.context import Invocation
from skep.cli.files import read_file
from skep.cli.key_lists import history
from skep.cli.output import counted
from skep.cli.questions import ask, is_terminal
from skep.errors import NeedsConsent
from skep.json_documents import schema_id
from skep.node.verified.key_offers import AnotherKey, choose, read_offer
from skep.node.verified.trust_store import TrustedKey, TrustStore
from skep.trust.fingerprints import parse_fingerprint
from skep.trust.keys import PublicKey


def trust_file(publisher: str, file: Path, fingerprint: str | None, run: Invocation) -> None:
    """Trust the key in a file.

    Raises:
        AnotherKey: it is not the one the fingerprint names.
    """
    # (5)
    key = PublicKey.from_pem(read_file(file, "a public key"))
    if fingerprint is not None:
        wanted = parse_fingerprint(fingerprint)
        if key.fingerprint != wanted:
            raise AnotherKey(
                f"{file} has the key {key.fingerprint}, not {wanted}",
                hint="ask the publisher which key is theirs",
            )
    _pin(publisher, (key,), f"file {file.absolute()}", run)


def trust_from(
    publisher: str, place: str, fingerprint: str | None, run: Invocation, *, yes: bool
) -> None:
    """Trust keys that a marketplace offers for a publisher, if a person says so.

    Raises:
        NeedsConsent: nobody said which key is meant, or somebody said no.
        AnotherKey: the fingerprint is none of the keys'.
        MarketplaceNotFound, MalformedAnswer: the marketplace has no such publisher, or no answer
            that can be shown.
    """
    if fingerprint is not None:
        parse_fingerprint(fingerprint)
    elif yes or not is_terminal():
        # (1)
        reason = "--yes does not say which key" if yes else "this is not a terminal"
        raise NeedsConsent(
            f"to trust a key, give the fingerprint that {publisher} told you; {reason}",
            hint=f"skep keys trust {publisher} --from {place} --fingerprint SHA256:…",
        )
    marketplace = known_marketplaces(run.environment).find(place)
    with connected(marketplace) as client:
        keys = read_offer(client.publisher(publisher))
    known = TrustStore(run.environment.trust).trusted(publisher)
    trusted = {one.key for one in known}
    if fingerprint is not None:
        keys = (choose(keys, fingerprint, str(marketplace)),)
    elif not trusted.issuperset(keys):
        # (2) and (3)
        run.output.say(*_offer_lines(publisher, str(marketplace), keys, known))
        new = [key for key in keys if key not in trusted]
        what = "this key" if len(new) == 1 else f"these {len(new)} keys"
        if not ask(f"Trust {what} for {publisher}?", run.output):
            raise NeedsConsent("consent was refused; nothing was changed")
    # (4)
    _pin(publisher, keys, str(marketplace), run)


def _offer_lines(
    publisher: str, marketplace: str, keys: Sequence[PublicKey], known: Sequence[TrustedKey]
) -> Iterator[str]:
    yield f"{publisher} at {marketplace} has {counted(len(keys), 'key')}:"
    trusted = {one.key: one for one in known}
    for key in keys:
        yield f"  {key.fingerprint}"
        if key in trusted:
            yield f"    trusted {history(trusted[key])}"
    others = [one for one in known if one.key not in keys]
    if others:
        yield f"attention: {publisher} is trusted here with another key:"
        for one in others:
            yield f"  {one.key.fingerprint}"
            yield f"    trusted {history(one)}"
        yield f"a new key of {publisher}'s, or another publisher of that name?"
    yield f"compare with what {publisher} publishes elsewhere; the marketplace could be wrong"


def _pin(publisher: str, keys: Sequence[PublicKey], origin: str, run: Invocation) -> None:
    store = TrustStore(run.environment.trust)
    pinned = [(key.fingerprint, store.add(publisher, key, origin)) for key in keys]
    document: dict[str, object] = {
        "schema": schema_id("keys-trust"),
        "publisher": publisher,
        "origin": origin,
        "keys": [{"fingerprint": text, "changed": is_new} for text, is_new in pinned],
    }
    if len(pinned) == 1:
        document["fingerprint"] = pinned[0][0]
    run.output.emit(
        document,
        lambda: [
            f"trusted for {publisher}: {text}" if is_new else f"unchanged: {text}"
            for text, is_new in pinned
        ],
    )
