"""Whom the benchmark on hidden attributes is about, and what its parts share."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import HOME

from keepmum.attacks import Context, default_attacks
from keepmum.attacks.attribute import AttributeAttack, Hidden
from keepmum.data import Records, Split
from keepmum.errors import MissingExtraError, NotApplicableError
from keepmum.findings import Finding
from keepmum.targets import as_target
from keepmum.targets._remembered import remembered

WARFARIN = HOME / "tests" / "data" / "iwpc_warfarin.csv.gz"
Side = tuple[pd.DataFrame, np.ndarray]


def warfarin() -> Side:
    """Patients whose dose and VKORC1 are known: their columns, and the weekly dose in mg."""
    frame = pd.read_csv(WARFARIN).dropna(subset=["dose_mg_week", "vkorc1_1639"]).drop_duplicates()
    return frame.drop(columns="dose_mg_week"), frame["dose_mg_week"].to_numpy()


def fair() -> Side | None:
    """Women asked about affairs, and whether they rate their marriage 5 of 5; None without statsmodels."""
    try:
        from statsmodels.datasets import fair as source
    except ModuleNotFoundError:
        return None
    frame = source.load_pandas().data
    affair = np.where(frame["affairs"] > 0, "yes", "no")
    happy = (frame["rate_marriage"] == 5).to_numpy().astype(int)
    return frame.drop(columns=["rate_marriage", "affairs"]).assign(affair=affair), happy


def shuffled(people: Side, sizes: tuple[int, ...], seed: int) -> list[Side]:
    """Parts of these sizes, drawn at random; what is left is one more part."""
    X, y = people
    order = np.random.default_rng(seed).permutation(len(X))
    parts = np.split(order, np.cumsum(sizes))
    return [(X.iloc[part].reset_index(drop=True), y[part]) for part in parts]


def pipeline(model: Any) -> Any:
    """Missing texts become the most frequent one and then columns of 0 and 1, missing numbers the mean; the model."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_pipeline(
        make_column_transformer(
            (texts, make_column_selector(dtype_exclude="number")),
            (numbers, make_column_selector(dtype_include="number")),
        ),
        model,
    )


def attacks() -> list[AttributeAttack[Any]]:
    """Every attack on hidden attributes, found by discovery."""
    return [attack for attack in default_attacks() if isinstance(attack, AttributeAttack)]


def game(members: Side, others: Side, public: Side | None = None) -> Split:
    """The people as they are, copies included."""
    return Split(*(Records(*side) for side in (members, others)), None if public is None else Records(*public))


def play(model: Any, split: Split, hidden: Hidden, seed: int = 0, every: bool = True) -> dict[str, Finding]:
    """Every attack that can be played, by its id without the attribute; nothing is taken out of the split first.

    Args:
      model: A fitted model.
      split: Everyone.
      hidden: What is hidden.
      seed: Of the attacks.
      every: Whether also those that are never called a leak are played.
    """
    target = remembered(as_target(model, split.pool.y, None, probe=split.pool))
    ctx, found = Context(seed=seed), {}
    for attack in (each.about(hidden) for each in attacks() if every or each.trained_people):
        if attack.inapplicable(target) is not None:
            continue
        try:
            found[attack.id] = attack.run(target, split, ctx.lend(attack.name))
        except (NotApplicableError, MissingExtraError):
            continue
    return found


@dataclass(frozen=True)
class Ended:
    """What became of a command: exit code, what it wrote, wall and CPU seconds."""

    code: int
    out: str
    err: str
    wall: float
    cpu: float

    @property
    def lines(self) -> list[str]:
        """What stands on stderr, without the clock that ticks every 30 seconds on a busy machine."""
        return [line for line in self.err.splitlines() if line.strip() and not re.search(r" · \d+ s$", line)]


def keepmum(*words: str | Path, folder: Path, environment: Mapping[str, str] | None = None) -> Ended:
    """One command as a person gives it, in a process of its own."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "keepmum", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "COLUMNS": "400", **(environment or {})},
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - began, cpu)


def save(model: Any, path: Path) -> Path:
    """The model as a skops file."""
    import skops.io

    skops.io.dump(model, path)
    return path


def write(side: Side, label: str, path: Path) -> Path:
    """People as CSV, labels among the columns."""
    side[0].assign(**{label: side[1]}).to_csv(path, index=False)
    return path
