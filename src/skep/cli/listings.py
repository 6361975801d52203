"""Deployments as ``skep list`` and ``skep chain`` show them."""

from skep.errors import SkepError
from skep.hooks.target import HOST, HookTarget
from skep.node.looking.listing import ChainView, Condition
from skep.node.occupants import order_lines


def doubt_text(doubt: SkepError) -> str:
    """Why what is shown may not be so."""
    return f"{doubt.message}; what is shown may be half of a change"


def shown_target(on: HookTarget, here: str) -> str:
    """A declared target as it is shown in the namespace of this command.

    >>> on = HookTarget("hook", "eth0")
    >>> shown_target(on, ""), shown_target(on, "blue")
    ('hook:eth0', 'hook:eth0@host')
    """
    return f"{on}@{HOST}" if here and not on.namespace and "@" not in on.target else str(on)


def condition_text(on: HookTarget, condition: Condition, reason: str = "") -> str:
    """How a chain is, in words.

    Args:
        reason: why that is not known.

    >>> condition_text(HookTarget("hook", "eth1"), "waiting")
    'waiting for eth1'
    >>> condition_text(HookTarget("hook", "eth1"), "not known", "CAP_SYS_ADMIN is missing")
    'not known: CAP_SYS_ADMIN is missing'
    """
    match condition:
        case "not known":
            return f"not known: {reason}"
        case "waiting":
            return f"waiting for {on.target}"
        case "detached":
            return f"not attached to the {on.target} that is there now"
        case "not visible":
            return "not visible from here"
        case "shared":
            return f"not running: {on.target} has another chain"
        case _:
            return condition


def chain_heading(view: ChainView) -> str:
    """How a chain is, or what runs where none is declared; in words."""
    spot = view.spot
    runs = spot.runs if spot is not None else None
    if view.condition == "undeclared" and runs is not None:
        return f"runs {runs.program_name or 'a program'}, which no deployment declares"
    if view.condition == "not running" and not view.members:
        return "no Skep programs attached"
    text = condition_text(view.on, view.condition, view.reason)
    if spot is not None and spot.called is not None:
        text += f"  (called {view.on.hook}:{called_text(spot.called, view.on)} now)"
    return text


def chain_remarks(view: ChainView) -> list[str]:
    """What a person should know about how a chain is attached, and about others on its hook."""
    there = view.occupants or ()
    if any(each.is_ours for each in there):
        others = order_lines(there)
    else:
        others = [f"{each}, which Skep did not attach" for each in there]
    return [*([view.remark] if view.remark else []), *others]


def called_text(called: HookTarget, declared: HookTarget) -> str:
    """What a target is called now, with its namespace if that is not the declared one.

    >>> called_text(HookTarget("hook", "eth1"), HookTarget("hook", "eth0"))
    'eth1'
    >>> called_text(HookTarget("hook", "eth0"), HookTarget("hook", "eth0", "blue"))
    'eth0 (host)'
    """
    if called.namespace == declared.namespace:
        return called.target
    return f"{called.target}@{called.namespace}" if called.namespace else f"{called.target} (host)"
