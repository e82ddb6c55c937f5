"""Shadow models, measured: every figure that keepmum tells about them, with its goal.

    python benchmarks/shadows.py --json                what can be measured here; the last line is JSON
    python benchmarks/shadows.py --peers --write       also makes other tools' environments (2 GB); writes the page
    python benchmarks/shadows.py --quick --json        small samples
    python benchmarks/shadows.py --only power store    some of the scripts
    python benchmarks/shadows.py --reuse --write       results of earlier runs where there are some

Each part is a script of its own, run in a process of its own, one after another. A bar that is not reached stays in,
with ``ok: false``; ``ok`` is computed from the values.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from common import FOLDER, HOME, finish, machine, parser
from write import write

HERE = Path(__file__).resolve().parent
PARTS = ("power", "peers", "fleets", "networks", "analytic", "store", "endtoend", "engines", "null_shadows", "queries")
ON_DATA = ("power", "peers")
"""Parts that take pictures of a file instead of scikit-learn's digits."""


def command(part: str, chosen: Any) -> list[str]:
    words = [sys.executable, "-u", str(HERE / f"{part}.py"), "--json"]
    words += ["--quick"] if chosen.quick else []
    words += ["--data", chosen.data] if chosen.data and part in ON_DATA else []
    words += ["--installed"] if part == "peers" and not chosen.peers else []
    return words


def measure(part: str, chosen: Any) -> dict[str, Any] | None:
    """Result of one part: kept from an earlier run if wanted, else run now and kept; None if there is no such part."""
    kept = FOLDER / "results" / f"{part}{'.quick' if chosen.quick else ''}.json"
    if chosen.reuse and kept.exists():
        earlier: dict[str, Any] = json.loads(kept.read_text())
        return earlier
    if not (HERE / f"{part}.py").exists():
        return None
    print(f"== {part} ==", flush=True)
    process = subprocess.Popen(command(part, chosen), stdout=subprocess.PIPE, text=True)
    last = ""
    for line in process.stdout or ():
        if not line.startswith("{"):
            print(line, end="", flush=True)
        last = line.strip() or last
    code = process.wait()
    if not last.startswith("{"):  # a script that misses a bar may end with an error, and its result counts all the same
        raise SystemExit(f"benchmarks/{part}.py ended with {code} and no result")
    result: dict[str, Any] = json.loads(last)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(result, indent=1, ensure_ascii=False))
    return result


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--data", help="a .npz with pictures of 28 x 28 and labels, for power and peers")
    options.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="some of the parts")
    options.add_argument("--peers", action="store_true", help="make environments of other tools that are missing")
    options.add_argument("--reuse", action="store_true", help="take results of earlier runs where there are some")
    options.add_argument("--write", action="store_true", help="write docs/benchmarks/shadows.md and its pictures")
    chosen = options.parse_args()
    results = {part: found for part in chosen.only if (found := measure(part, chosen)) is not None}
    if chosen.write:
        write(HOME / "docs" / "benchmarks", results, machine())
    print()
    finish({name: bar for result in results.values() for name, bar in result["bars"].items()}, chosen.json)


if __name__ == "__main__":
    main()
