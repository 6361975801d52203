"""Write ``bpf/include/vmlinux.h.xz``: the types of one kernel, for sources that have no others.

* ``--from-kernel [FILE]`` makes it from the types of a kernel, by default the running one, and
  records in ``tools/facts/vmlinux_header.json`` which one it was, and the digests of its types and
  of the header;
* ``--check`` compares the header with its digest, and makes it again where a kernel with the same
  types runs. Compressed bytes depend on the version of liblzma, the header does not: its digest
  is that of the text.
"""

import argparse
import hashlib
import json
import lzma
import platform
import sys
from pathlib import Path

from skep.bytecode.btf.c_header import c_header
from skep.bytecode.btf.table import read_btf
from skep.bytecode.btf.vmlinux import types_in

ROOT = Path(__file__).resolve().parent.parent
FACTS = ROOT / "tools" / "facts" / "vmlinux_header.json"
HEADER = ROOT / "bpf" / "include" / "vmlinux.h.xz"
RUNNING = Path("/sys/kernel/btf/vmlinux")


def _types(path: Path) -> bytes:
    data = path.read_bytes()
    return types_in(lambda offset, length: data[offset : offset + length], len(data))


def text_of(types: bytes) -> bytes:
    return c_header(read_btf(types, "little")).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def from_kernel(path: Path, kernel: str) -> None:
    types = _types(path)
    text = text_of(types)
    HEADER.write_bytes(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    facts = {
        "schema": 1,
        "kind": "vmlinux_header",
        "kernel": kernel,
        "types_sha256": _digest(types),
        "header_sha256": _digest(text),
        "header_bytes": len(text),
    }
    FACTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def check() -> list[str]:
    """What does not fit, a sentence each."""
    facts = json.loads(FACTS.read_text(encoding="utf-8"))
    text = lzma.decompress(HEADER.read_bytes())
    if _digest(text) != facts["header_sha256"]:
        return [f"{HEADER.name} is not the header of tools/facts/{FACTS.name}"]
    if not RUNNING.is_file() or _digest(types := _types(RUNNING)) != facts["types_sha256"]:
        print(f"{HEADER.name}: made from {facts['kernel']}, which does not run here: only compared")
        return []
    if text_of(types) != text:
        return [f"{HEADER.name} is not what is made now: tools/{Path(__file__).name} --from-kernel"]
    return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    parser.add_argument(
        "--from-kernel", type=Path, nargs="?", const=RUNNING, metavar="FILE", help="make it anew"
    )
    parser.add_argument(
        "--kernel",
        default=f"Linux {platform.release()}, {platform.machine()}",
        help="what FILE is of",
    )
    options = parser.parse_args()
    if options.from_kernel:
        from_kernel(options.from_kernel, options.kernel)
    problems = check()
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
