"""Pushing a package with its signatures to a marketplace, and having it published."""

from pathlib import Path

from skep.cli.asking import connected
from skep.cli.locating import open_layout
from skep.packages.client.progress import Progress
from skep.packages.client.pushing import push
from skep.packages.local.marketplaces import Marketplace
from skep.packages.wire.receipt import Receipt


def publish_layout(
    layout: Path, marketplace: Marketplace, progress: Progress | None = None
) -> Receipt:
    """Push the package in ``layout`` with its signatures and publish it; gives the receipt."""
    found = open_layout(layout)
    with connected(marketplace) as client:
        push(found.store, found.descriptor.digest, client, progress)
        publisher, _, name = found.name.partition("/")
        return client.publish(publisher, name, found.descriptor.digest)
