"""Command lines with a slip, as errors with the command that was probably meant."""

import re
import shlex
from collections.abc import Sequence

import click

from skep.errors import SkepError, UsageError


def as_usage_error(error: click.ClickException, words: Sequence[str]) -> UsageError:
    """Say what was wrong in Skep's words; the hint is a command to paste.

    Args:
        error: as click raised it.
        words: what was typed after ``skep``.
    """
    path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "skep"
    usual = f"{path} --help"
    match error:
        case click.NoSuchCommand():
            what, wrong = f"there is no command {error.command_name!r}", error.command_name
        case click.NoSuchOption():
            what, wrong = f"{path} has no option {error.option_name}", error.option_name
        case click.MissingParameter() if error.param is not None and error.ctx is not None:
            return UsageError(
                f"{_written(error.param, error.ctx)} is missing",
                hint=_example(error.ctx.command, error.param) or usual,
            )
        case click.BadParameter() if error.param and isinstance(error.param.type, click.Choice):
            return _bad_choice(error, error.param.type, words, usual)
        case _:
            return UsageError(error.format_message().rstrip("."), hint=usual)
    near = error.possibilities or []
    if not near:
        return UsageError(what, hint=usual)
    return UsageError(
        f"{what}; did you mean {' or '.join(near)}?", hint=_corrected(words, wrong, near[0])
    )


def meaning_another(error: SkepError, words: Sequence[str]) -> None:
    """If the name that nothing has is nearly one that something has, say so; the hint corrects it.

    Args:
        error: gets another message and hint then.
        words: what was typed after ``skep``.
    """
    if error.misnamed is None:
        return
    from skep.packages.nearest import nearest

    name, known = error.misnamed.name, error.misnamed.known
    near = nearest(name, known)
    command = _corrected(words, name, near) if near else ""
    if near and near != name and command != shlex.join(["skep", *words]):
        error.message = f"{error.message}; did you mean {near}?"
        error.hint = command


def _written(parameter: click.Parameter, context: click.Context) -> str:
    metavar = parameter.make_metavar(context)
    if isinstance(parameter, click.Option):
        return f"{max(parameter.opts, key=len)} {metavar}"
    return metavar


def _example(command: click.Command, parameter: click.Parameter) -> str:
    """An example that has the parameter; arguments are in all of them."""
    examples: Sequence[str] = getattr(command, "examples", ())
    if isinstance(parameter, click.Option):
        examples = [each for each in examples if any(name in each for name in parameter.opts)]
    return f"for example {examples[0]}" if examples else ""


def _bad_choice(
    error: click.BadParameter, choice: "click.Choice[str]", words: Sequence[str], usual: str
) -> UsageError:
    from skep.packages.nearest import nearest

    known = [str(each) for each in choice.choices]
    wrong = next((word for word in words if repr(word) in error.message), "")
    near = nearest(wrong, known)
    what = f"expected {', '.join(known[:-1])} or {known[-1]}, got {wrong!r}"
    if not near:
        return UsageError(what, hint=usual)
    return UsageError(f"{what}; did you mean {near}?", hint=_corrected(words, wrong, near))


def _corrected(words: Sequence[str], wrong: str, right: str) -> str:
    """What was typed, with the last word that has the wrong name in it put right.

    >>> _corrected(["serach", "--jsn=x", "a b"], "--jsn", "--json")
    "skep serach --json=x 'a b'"
    >>> _corrected(["install", "a/b", "--on=hok:eth0"], "hok", "hook")
    'skep install a/b --on=hook:eth0'
    """
    name = re.compile(rf"(?<![\w.-]){re.escape(wrong)}(?![\w.-])")
    mended = list(words)
    for number in reversed(range(len(mended))):
        if name.search(mended[number]):
            mended[number] = name.sub(lambda _: right, mended[number], count=1)
            break
    return shlex.join(["skep", *mended])
