"""``keepmum doctor``: is this installation able to measure?"""

from __future__ import annotations

import json
import os
import platform
import time
from importlib.metadata import version
from typing import Any

from keepmum.cli._app import Exit
from keepmum.cli._terminal import DEFAULTS, Options
from keepmum.cli.list import extras

PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "narwhals",
    "pydantic",
    "cyclopts",
    "rich",
    "matplotlib",
    "skops",
)
PEOPLE = 200


def doctor(*, common: Options = DEFAULTS) -> int:
    """Test this installation: versions, extras, and whether it catches a model that memorized.

    Needs no network. Exits with 3 if the self-test fails.
    """
    import keepmum

    terminal = common.terminal
    about = {"keepmum": keepmum.__version__, "python": platform.python_version(), "cores": os.cpu_count()}
    packages = {name: version(name) for name in PACKAGES}
    for name, value in {**about, **packages}.items():
        terminal.show(f"{name:<14} {value}")
    for row in extras():
        terminal.show(f"{'[' + row['extra'] + ']':<14} {'installed' if row['installed'] else row['install']}")
    seen = self_test()
    for line in seen["lines"]:
        terminal.show(f"self-test      {line}")
    if common.json:
        terminal.data(json.dumps({**about, "packages": packages, "extras": extras(), "self_test": seen}))
    return Exit.DONE if seen["passed"] else Exit.INCONCLUSIVE


def self_test(seed: int = 0) -> dict[str, Any]:
    """Audit a model that knows its members by heart and one that knows nobody; the first must be caught, alone."""
    import numpy as np

    from keepmum.audit import audit
    from keepmum.findings import Outcome

    rng = np.random.default_rng(seed)
    records, labels = rng.normal(size=(2 * PEOPLE, 4)), rng.integers(0, 2, 2 * PEOPLE)
    members, others = (records[:PEOPLE], labels[:PEOPLE]), (records[PEOPLE:], labels[PEOPLE:])
    known = {row.tobytes(): label for row, label in zip(*members, strict=True)}

    def memorizing(rows: Any) -> Any:
        ones = [0.05 + 0.9 * known[row.tobytes()] if row.tobytes() in known else 0.5 for row in np.asarray(rows)]
        return np.column_stack([1 - np.array(ones), ones])

    def ignorant(rows: Any) -> Any:
        return np.full((len(rows), 2), 0.5)

    lines, passed, began = [], True, time.monotonic()
    for name, model, wanted in (("memorizing", memorizing, True), ("ignorant", ignorant, False)):
        report = audit(model, members, others, attacks=["membership/loss"], seed=seed, classes=[0, 1])
        caught = report["membership/loss"].outcome is Outcome.LEAK
        passed &= caught is wanted
        good = "as it must" if caught is wanted else "WRONG"
        lines.append(f"{name} model {'caught' if caught else 'not accused'}: {good}")
    lines.append(f"{'passed' if passed else 'FAILED'} in {time.monotonic() - began:.1f} s")
    return {"passed": passed, "lines": lines}
