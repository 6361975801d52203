"""TCX egress: classifiers for packets an interface sends, without a qdisc.

In all but the direction it is as :mod:`skep.hooks.tcx_ingress`.
"""

from dataclasses import replace

from skep.hooks.tcx_ingress import TCX_INGRESS

TCX_EGRESS = replace(
    TCX_INGRESS,
    name="tcx-egress",
    attach_type="TCX_EGRESS",
    attach_type_id=47,
    summary="every packet an interface is about to send",
)
