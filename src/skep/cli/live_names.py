"""Names that are known on this machine, for a shell that completes them: what Tab offers.

Looked up as fast as may be: no lock, no network, no process; whatever cannot be read has no names.
Each function is given as ``shell_complete`` to the parameter that takes such a name.
"""

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from skep.cli.environment import Environment, read_environment

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from skep.chains.deployment import Deployment
    from skep.digests import Digest

Complete = Callable[[click.Context, click.Parameter, str], list[str]]
Source = Callable[[Environment, click.Context], Iterable[str]]


def _completing(names: Source) -> Complete:
    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        del parameter
        environment = read_environment(os.environ, os.geteuid())
        try:
            found = {name for name in names(environment, context) if name.startswith(incomplete)}
        except Exception:  # noqa: BLE001 - an error in the middle of somebody's typing helps nobody
            return []
        return sorted(found)

    return complete


def _deployment_names(environment: Environment, context: click.Context) -> Iterator[str]:
    del context
    for deployment in _deployments(environment):
        yield deployment.name


def _neighbours(environment: Environment, context: click.Context) -> Iterator[str]:
    """Those in the chain that the command line names: with ``--on``, or by another member.

    Without either, all. An interface without a namespace is meant in any: which one this process
    is in, only a socket would tell.
    """
    typed = context.params.get("on")
    subject, *_ = context.command.get_params(context)  # the package, or the deployment
    if subject.name == "name":
        name = str(context.params.get("name") or context.args[0])
        there = [*_deployments(environment)]
        on = next((each.on for each in there if each.name == name), None)
        yield from (each.name for each in there if each.on == on and each.name != name)
    elif typed is None:
        yield from _deployment_names(environment, context)
    else:
        from skep.hooks.table import parse_hook_target
        from skep.hooks.target import HOST

        wanted = parse_hook_target(str(typed))
        namespace = "" if wanted.namespace == HOST else wanted.namespace
        for each in _deployments(environment):
            is_there = (each.on.hook, each.on.target) == (wanted.hook, wanted.target)
            if is_there and (not wanted.namespace or each.on.namespace == namespace):
                yield each.name


def _deployments(environment: Environment) -> "Iterator[Deployment]":
    from skep.node.observing.wiring import open_state
    from skep.node.settings import NodeSettings

    with ExitStack() as opened:
        state = open_state(NodeSettings(environment.root, environment.bpffs), opened)
        for one in state.installed():
            yield one.deployment


def _deployment(environment: Environment, name: str) -> "Deployment":
    return next(each for each in _deployments(environment) if each.name == name)


def _declared_targets(environment: Environment, context: click.Context) -> Iterator[str]:
    del context
    for deployment in _deployments(environment):
        yield str(deployment.on)


def _targets(environment: Environment, context: click.Context) -> Iterator[str]:
    del environment, context
    from skep.hooks.table import HOOKS
    from skep.hooks.target import INTERFACE

    # Not those of /sys, which may be another network namespace's.
    interfaces = [name for _, name in socket.if_nameindex()]
    for hook in HOOKS.values():
        if hook.target is INTERFACE:
            yield from (f"{hook.name}:{interface}" for interface in interfaces)
        else:
            yield f"{hook.name}:"


def _packages(environment: Environment, context: click.Context) -> Iterator[str]:
    del context
    from skep.packages.local.content_store import ContentStore
    from skep.packages.tags import parse_tag

    if not environment.content.exists():
        return
    for text in ContentStore(environment.content).tags():
        tag = parse_tag(text)
        if tag is not None:
            yield tag.package
            yield f"{tag.package}:{tag.version}"


def _own_keys(environment: Environment, context: click.Context) -> Iterator[str]:
    del context
    for path in environment.keys.glob("[!.]*.key"):
        yield path.stem


def _publishers(environment: Environment, context: click.Context) -> Iterator[str]:
    for path in environment.trust.glob("[!.]*/"):
        yield path.name
    for package in _packages(environment, context):
        yield package.partition("/")[0]


def _fingerprints(environment: Environment, context: click.Context) -> Iterator[str]:
    directory = environment.trust / str(context.params["publisher"])
    for path in directory.glob("[!.]*.pem"):
        yield f"SHA256:{path.stem}"


def _marketplaces(environment: Environment, context: click.Context) -> Iterator[str]:
    del context
    from skep.packages.local.marketplaces import read_configuration

    for path in (environment.user_marketplaces, environment.node_marketplaces):
        yield from read_configuration(path).urls


def _settings(environment: Environment, context: click.Context) -> Iterator[str]:
    """As they are written: ``rate=1000/s`` with the default, if there is one."""
    from skep.cli.stored_metadata import stored_metadata
    from skep.packages.local.content_store import ContentStore

    digest = _package_digest(environment, context)
    for spec in stored_metadata(ContentStore(environment.content), digest).settings:
        yield f"{spec.name}={spec.default or ''}"


def _chosen_settings(environment: Environment, context: click.Context) -> Iterable[str]:
    """Names of the settings that were chosen for the deployment on the command line."""
    name = str(context.params.get("name") or context.args[0])
    return dict(_deployment(environment, name).settings)


def _programs(environment: Environment, context: click.Context) -> Iterator[str]:
    from skep.cli.stored_metadata import stored_metadata
    from skep.packages.local.content_store import ContentStore

    digest = _package_digest(environment, context)
    for program in stored_metadata(ContentStore(environment.content), digest).programs:
        yield program.name


def _package_digest(environment: Environment, context: click.Context) -> "Digest":
    """Of the package that the command line names, directly or by a deployment."""
    from skep.digests import Digest
    from skep.packages.local.content_store import ContentStore
    from skep.packages.references import parse_reference
    from skep.packages.tags import find_tag

    subject, *_ = context.command.get_params(context)  # the package, or the deployment
    # While the value of an option is missing, click leaves arguments unread.
    text = str(context.params.get(subject.name or "") or context.args[0])
    if subject.name == "name":
        return Digest.parse(_deployment(environment, text).digest)
    found = find_tag(ContentStore(environment.content).tags(), parse_reference(text))
    if found is None:
        raise LookupError(text)
    return found.digest


def _permissions(environment: Environment, context: click.Context) -> Iterable[str]:
    del environment, context
    from skep.bytecode.analysis.taxonomy import PERMISSIONS

    return PERMISSIONS


deployment_names = _completing(_deployment_names)
neighbours = _completing(_neighbours)
chosen_settings = _completing(_chosen_settings)
declared_targets = _completing(_declared_targets)
targets = _completing(_targets)
packages = _completing(_packages)
own_keys = _completing(_own_keys)
publishers = _completing(_publishers)
fingerprints = _completing(_fingerprints)
marketplaces = _completing(_marketplaces)
settings = _completing(_settings)
programs = _completing(_programs)
permissions = _completing(_permissions)


def files_and_packages(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Packages on this machine; the shell adds its files."""
    from click.shell_completion import CompletionItem

    known = [] if incomplete[:1] in {".", "/"} else packages(context, parameter, incomplete)
    return [*map(CompletionItem, known), CompletionItem(incomplete, type="file")]
