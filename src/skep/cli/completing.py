"""Completion in a shell: click's protocol, with what it lacks in bash.

``_SKEP_COMPLETE=bash_complete skep`` answers what Tab offers; see :mod:`skep.cli.live_names` for
names. An answer is words or nothing: no error, no warning, no lock, no network.

bash splits the words of a command line at ``:`` and ``=`` too (``COMP_WORDBREAKS``), so that
``xdp:eth0`` comes as three words, of which the last is completed alone. The words are put together
again, and of an answer only what follows the last break is given back.
"""

import click

COMPLETE = "_SKEP_COMPLETE"  # click's name for the variable that says what a shell wants to know
_BREAKS = frozenset(":=")


def script_for(app: click.Command, shell: str) -> str:
    """What a shell runs once, so that Tab works from then on.

    Raises:
        LookupError: nothing is known about such a shell.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise LookupError(f"nothing completes words in {shell}")
    completing = kind(app, {}, "skep", COMPLETE)
    script: str = completing.source_template % completing.source_vars()
    # A setting is completed up to its value, which is then typed without a space before it.
    return script.replace(
        "            COMPREPLY+=($value)\n",
        '            COMPREPLY+=("$value")\n            [[ $value == *= ]] && compopt -o nospace\n',
    )


def answer_shell(app: click.Command, instruction: str) -> int:
    """Print what a shell asked for; returns the exit code.

    Args:
        instruction: ``<shell>_source`` or ``<shell>_complete``.
    """
    import logging

    from click.shell_completion import BashComplete, add_completion_class, shell_complete

    class Bash(BashComplete):
        """bash, whose words are put together again."""

        name = "bash"
        left = ""  # what bash keeps of the word that is completed

        def get_completion_args(self) -> tuple[list[str], str]:
            words, incomplete = super().get_completion_args()
            joined, whole = join_words(words, incomplete)
            value = whole.partition("=")[2] if whole.startswith("-") else whole
            if whole != incomplete:
                self.left = value[: max(value.rfind(each) for each in _BREAKS) + 1]
            return joined, whole

        def format_completion(self, item: "click.shell_completion.CompletionItem") -> str:
            item.value = str(item.value).removeprefix(self.left)
            return super().format_completion(item)

    logging.disable()
    shell, _, wanted = instruction.partition("_")
    if wanted == "source":
        click.echo(script_for(app, shell))
        return 0
    add_completion_class(Bash)
    try:
        return shell_complete(app, {}, "skep", COMPLETE, instruction)
    except Exception:  # noqa: BLE001 - an error in the middle of somebody's typing helps nobody
        return 1


def join_words(words: list[str], incomplete: str) -> tuple[list[str], str]:
    """Put words together that bash split.

    >>> join_words(["show", "skep/a", ":"], "1")
    (['show'], 'skep/a:1')
    >>> join_words(["set", "limit", "rate"], "=")
    (['set', 'limit'], 'rate=')
    """
    joined: list[str] = []
    is_open = False  # the last word ends with a break
    for word in [*words, incomplete]:
        is_break = bool(word) and set(word) <= _BREAKS
        if joined and (is_break or is_open):
            joined[-1] += word
        else:
            joined.append(word)
        is_open = is_break
    return joined[:-1], joined[-1]
