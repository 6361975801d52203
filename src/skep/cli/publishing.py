"""Publishing: planned first, by asking only, then done; a dry run ends after the plan."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from skep.cli.asking import connected
from skep.cli.locating import Found, open_layout
from skep.digests import Digest
from skep.errors import SkepError, Untrusted
from skep.marketplace.vetting.reviewing import review
from skep.marketplace.vetting.rules import STANDARD_RULES
from skep.marketplace.vetting.submissions import submit
from skep.marketplace.vetting.verdicts import ReviewVerdict
from skep.node.verified.key_offers import read_offer
from skep.packages.client.errors import (
    MarketplaceConflict,
    MarketplaceDenied,
    MarketplaceDistrusts,
    MarketplaceRefused,
)
from skep.packages.client.marketplace import MarketplaceClient
from skep.packages.client.progress import Progress
from skep.packages.client.pushing import push
from skep.packages.client.surveying import PublicationSurvey, survey
from skep.packages.content import PackageContent
from skep.packages.local.bundles import stored_signatures
from skep.packages.local.marketplaces import Marketplace
from skep.packages.wire.receipt import Receipt
from skep.trust.errors import UnknownKey, Unsigned
from skep.trust.verifying import RequireKey, SignatureEvidence, Subject, verify


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """What publishing a package would do.

    Attributes:
        found: the package on this machine.
        marketplace: where it would go.
        survey: what the marketplace has of it.
        verdict: of the review with this version's rules, made here.
        left_out: signatures by keys that the marketplace does not accept.
        obstacle: why the marketplace would not take it; ``None`` if it would.
    """

    found: Found
    marketplace: Marketplace
    survey: PublicationSurvey
    verdict: ReviewVerdict
    left_out: frozenset[Digest]
    obstacle: SkepError | None


@dataclass(frozen=True, slots=True)
class Published:
    """A published package.

    Attributes:
        receipt: of the marketplace.
        changed: it was not published before, or not with all of its signatures.
    """

    receipt: Receipt
    changed: bool


def open_signed(layout: Path) -> tuple[Found, PackageContent]:
    """The package of a layout or project folder, to be published; nobody is asked.

    Raises:
        NotFound, UsageError: there is none; see :func:`skep.cli.locating.open_layout`.
        Unsigned: it has no signature.
    """
    found = open_layout(layout)
    content = found.open()
    if not stored_signatures(found.store, found.descriptor.digest):
        raise Unsigned(f"{found.reference} is not signed", hint=f"skep sign {layout}")
    return found, content


def plan_publication(layout: Path, marketplace: Marketplace, now: datetime) -> PublishPlan:
    """Decide what publishing would do; the marketplace is asked, and nothing is changed there.

    Raises:
        SkepError: as :func:`open_signed`, or the marketplace cannot be asked.
    """
    found, content = open_signed(layout)
    with connected(marketplace) as client:
        return _plan(found, content, marketplace, client, now)


def publish_layout(
    layout: Path, marketplace: Marketplace, now: datetime, progress: Progress | None = None
) -> Published:
    """Push the package in ``layout`` with its signatures and publish it, as planned.

    The marketplace's own review decides; what would certainly fail is refused before anything is
    sent.

    Raises:
        SkepError: as :func:`plan_publication`; the plan's obstacle; or the marketplace refuses.
    """
    found, content = open_signed(layout)
    with connected(marketplace) as client:
        plan = _plan(found, content, marketplace, client, now)
        published = plan.survey.published
        if plan.survey.step == "unchanged" and published is not None:
            receipt = Receipt(
                plan.survey.package,
                published.version,
                published.digest,
                published.published_at,
                published.verdict,
            )
            return Published(receipt, changed=False)
        if plan.obstacle is not None and not isinstance(plan.obstacle, MarketplaceRefused):
            raise plan.obstacle
        push(found.store, found.descriptor.digest, client, progress, leave_out=plan.left_out)
        publisher, _, name = found.name.partition("/")
        receipt = client.publish(publisher, name, found.descriptor.digest)
        return Published(receipt, changed=True)


def _plan(
    found: Found,
    content: PackageContent,
    marketplace: Marketplace,
    client: MarketplaceClient,
    now: datetime,
) -> PublishPlan:
    surveyed = survey(found.store, found.descriptor.digest, content, client)
    signatures = stored_signatures(found.store, found.descriptor.digest)
    evidence: SignatureEvidence | None = None
    left_out: frozenset[Digest] = frozenset()
    obstacle: SkepError | None = None
    if surveyed.publisher is None:
        obstacle = MarketplaceDenied(
            f"{marketplace.short} has no publisher {found.name.partition('/')[0]}",
            hint="ask the marketplace's owner to register you as a publisher",
        )
    else:
        policy = RequireKey(read_offer(surveyed.publisher))
        subject = Subject(found.name, found.descriptor.digest)
        accepted = _verified(subject, signatures, policy, now)
        evidence = next(iter(accepted.values()), None)
        if accepted:
            left_out = frozenset(signatures.keys() - accepted.keys())
        else:
            obstacle = _not_accepted(found, marketplace, subject, signatures, policy, now)
    verdict = review(submit(content, evidence), STANDARD_RULES)
    if surveyed.step == "conflict":
        obstacle = _conflict(surveyed)
    if obstacle is None and verdict.errors:
        obstacle = MarketplaceRefused(
            f"the review would refuse {found.reference}: "
            + ", ".join(finding.rule_id for finding in verdict.errors),
            hint=verdict.errors[0].remediation,
        )
    kept = tuple(each for each in surveyed.uploads if each.digest not in left_out)
    return PublishPlan(
        found, marketplace, replace(surveyed, uploads=kept), verdict, left_out, obstacle
    )


def _verified(
    subject: Subject, signatures: Mapping[Digest, bytes], policy: RequireKey, now: datetime
) -> dict[Digest, SignatureEvidence]:
    """Signatures that the policy accepts."""
    found = {}
    for digest, bundle in signatures.items():
        with suppress(Untrusted):
            found[digest] = verify(subject, [bundle], policy, now)
    return found


def _not_accepted(
    found: Found,
    marketplace: Marketplace,
    subject: Subject,
    signatures: Mapping[Digest, bytes],
    policy: RequireKey,
    now: datetime,
) -> MarketplaceDistrusts:
    """The refusal of a package that no accepted key has signed."""
    accepted = ", ".join(key.fingerprint for key in policy.keys)
    try:
        verify(subject, tuple(signatures.values()), policy, now)
        by = "no key"
    except UnknownKey as error:
        by = error.fingerprint or "a key it does not name"
    except Untrusted as error:
        by = f"no key of its publisher ({error.message})"
    return MarketplaceDistrusts(
        f"{found.reference} is signed by {by}; {marketplace.short} accepts {accepted}",
        hint="sign with an accepted key (skep sign --key NAME), or ask the marketplace's owner to"
        " register yours",
    )


def _conflict(surveyed: PublicationSurvey) -> MarketplaceConflict:
    there = surveyed.published.digest if surveyed.published else ""
    return MarketplaceConflict(
        f"{surveyed.package}:{surveyed.version} is published with other content, {there}",
        hint=f'a version never changes: version = "{surveyed.next_version}" in skep.toml, then'
        " skep build, skep sign and skep publish",
    )
