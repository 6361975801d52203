"""All benchmarks by one command: ``python -m benchmarks [NAME] [--json]``.

Without a name all run, and docs/benchmarks.md and its plot are written anew.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks import btf_index, chain, listing, reading, startup
from benchmarks.chain_plot import draw
from skep.compiling.toolchain import find_compiler

ROOT = Path(__file__).resolve().parents[1]
PLOT = ROOT / "docs" / "images" / "chain-cost.svg"
DOCUMENT = ROOT / "docs" / "benchmarks.md"
_NAMES = ("chain", "startup", "listing", "reading", "types")
_ROUNDS, _REPEAT = 15, 200_000


def _chain() -> tuple[dict[str, object], str, str]:
    """The chain benchmark as a document, a table and a plot."""
    compiler = find_compiler(os.environ)
    with tempfile.TemporaryDirectory(prefix="skep-benchmark-") as cache:
        measured = chain.measure(chain.Sources(compiler, Path(cache)), _ROUNDS, _REPEAT)
    document = chain.report(measured, compiler, _ROUNDS, _REPEAT)
    plot = draw(measured, {shape: chain.slope(measured[shape]) for shape in chain.SHAPES})
    return document, chain.table(document, measured), plot


def main() -> None:
    words = sys.argv[1:]
    names = [word for word in words if not word.startswith("-")] or [*_NAMES]
    documents: dict[str, object] = {}
    texts: dict[str, str] = {}
    plot = ""
    for name in names:
        if name == "chain":
            documents[name], texts[name], plot = _chain()
        elif name == "startup":
            started = startup.measure()
            documents[name], texts[name] = started.document(), started.text()
        elif name == "listing":
            listed = listing.measure()
            documents[name], texts[name] = listed.document(), listed.text()
        elif name == "reading":
            read = reading.measure()
            documents[name], texts[name] = read.document(), read.text()
        elif name == "types":
            indexed = btf_index.measure()
            documents[name], texts[name] = indexed.document(), indexed.text()
        else:
            sys.exit(f"there is no benchmark {name!r}: {', '.join(_NAMES)}")
    if "--json" in words:
        print(json.dumps(documents[names[0]] if len(names) == 1 else documents, indent=1))
        return
    print("\n\n".join(texts.values()))
    if len(texts) == len(_NAMES):
        PLOT.parent.mkdir(parents=True, exist_ok=True)
        PLOT.write_text(plot, encoding="utf-8")
        DOCUMENT.write_text(_page(texts), encoding="utf-8")


def _page(texts: dict[str, str]) -> str:
    return f"""# Benchmarks

Written by `./dev bench`. `./dev bench chain --json` prints one document; so do `startup`,
`listing`, `reading` and `types`. All figures are from one run on one machine: compare the ratios;
the absolute times are specific to this machine.

## What an added program costs

One program that counts in a per-CPU map runs 1 to 10 times on one hook: spliced by the chain
compiler, chained by tail calls, or called as functions in sequence. The kernel's test runner
measures all three, interleaved, in one run. Each figure is the median over several loads of the
fastest round. The cost of an added program is the slope. Processors predict up to about five tail
calls well, so short chains differ less.

```
{texts["chain"].rstrip()}
```

![nanoseconds per packet by number of members](images/chain-cost.svg)

## Start-up

The time until a command does anything, interpreter included, compared with an interpreter that does
nothing and one that only imports click.

```
{texts["startup"].rstrip()}
```

## Listing

`skep list` on a node with 100 interfaces in another network namespace, each with a running chain,
compared with a node without deployments.

```
{texts["listing"].rstrip()}
```

## Reading objects

Processor time to read an object file, and to analyse what its programs can do, need and cost.
pyelftools only parses sections, symbols and relocations of code; llvm-objdump disassembles, in a
process of its own.

```
{texts["reading"].rstrip()}
```

## Types of a kernel

The time until `link` can look up CO-RE records, kernel functions and hook targets.

```
{texts["types"].rstrip()}
```
"""


if __name__ == "__main__":
    main()
