"""Taking what runs off a hook without the database: the last resort.

The disk is full or read-only, or the database is damaged: nothing can be written down, and a
program that does harm must still go. Links are found by their pins, which say what they are on,
and are detached. Records and maps stay, so the deployments are listed as not running.
"""

from skep.hooks.table import HookTarget
from skep.node.looking.locating import resolved
from skep.node.ports import Kernel, NoSuchTarget, PinnedLink, TargetHidden


def detach_all(kernel: Kernel, on: HookTarget) -> tuple[PinnedLink, ...]:
    """Detach every link of ours on a hook target; returns them, none if it cannot be seen."""
    try:
        identity = kernel.locate(resolved(kernel, on)).identity
    except (NoSuchTarget, TargetHidden):
        return ()
    found = tuple(
        link
        for link in kernel.links()
        if link.hook == on.hook and link.place is not None and link.place.identity == identity
    )
    for link in found:
        kernel.detach(link)
    return found
