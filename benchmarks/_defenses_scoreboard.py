"""Defense by defense on a table and on images: what leaks of people, of canaries, to labels alone, and accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from _defenses_tasks import Task, digits, tabular
from common import FOLDER, Bars, at_least, table

from keepmum.defenses import Defense
from keepmum.defenses.output import Abstain, Bins, HampSwap, KeyedNoise, Noise, Rounding, Temperature, TopK
from keepmum.defenses.training import (
    L2,
    ConfidencePenalty,
    Distillation,
    DpSgd,
    Dropout,
    EarlyStopping,
    FlatConfidence,
    Hamp,
    HeuristicDp,
    LabelSmoothing,
    Mixup,
    Pate,
    RelaxLoss,
    Selena,
)
from keepmum.harden import Frontier, Row, Verdict, harden
from keepmum.harden._verdict import rate_of
from keepmum.harden._words import cells, head, interval

SECRET = b"of this benchmark only"
SEARCHES: dict[str, tuple[str, ...]] = {"table": (), "images": ("inversion/cmaes", "inversion/boundary")}
LEAKS = ("population", "canary", "population_label_only", "canary_label_only")


def defenses(task: Task) -> list[Sequence[Defense]]:
    """What is compared; what a defense must be told fits both tasks."""
    swap = HampSwap(secret=SECRET)
    return [
        (L2(1e-4),),
        (Dropout(0.25),),
        (EarlyStopping(),),
        (LabelSmoothing(0.3),),
        (LabelSmoothing(-0.05),),
        (ConfidencePenalty(),),
        (Mixup(),),
        (RelaxLoss(),),
        (Hamp(),),
        (swap,),
        (Hamp(), swap),
        (FlatConfidence(unclear=("noise",)),),
        (Distillation(reference=task.reference),),
        (Pate(public=task.reference),),
        (Selena(),),
        (HeuristicDp(noise=0.3),),
        (DpSgd(noise=0.6, batch=128),),
        (Rounding(2),),
        (Rounding(1),),
        (Noise(),),
        (KeyedNoise(secret=SECRET),),
        (Temperature(),),
        (TopK(3),),
        (Bins(),),
        (Abstain(),),
    ]


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    """The table of both tasks, and whether verdicts are those that others measured.

    Six models decide on a table that is remembered whole; images, which are remembered less, want sixteen.
    """
    models = 6 if quick else 16
    tasks = [tabular(0, 900, 25)] if quick else [tabular(0), digits(0)]
    bars: Bars = {}
    tables = []
    for task in tasks:
        found = played(task, models, quick)
        tables.append(shown(task, found))
        if SEARCHES[task.name]:
            tables.append(drawn(task, found))
        bars |= judged(task.name, found, models)
    return bars, tables


def played(task: Task, models: int, quick: bool) -> Frontier:
    """The frontier of a task; what models say is kept between runs."""
    out = FOLDER / f"defenses-{task.name}{'-quick' if quick else ''}"

    def tell(done: int, total: int, what: str) -> None:
        if done % models == 0:
            print(f"  {task.name}: {done} of {total} models, {what}", flush=True)

    return harden(
        task.trainer,
        task.split,
        defenses=defenses(task),
        attacks=SEARCHES[task.name],
        models=models,
        seed=0,
        out=out,
        progress=tell,
    )


def shown(task: Task, found: Frontier) -> dict[str, Any]:
    """The frontier as a table of the page."""
    rows = [[row.name, str(row.verdict), *cells(row)] for row in found.rows]
    note = (
        f"{found.models} models a row, each trained on half of {found.people:,} records and {found.canaries} canaries. "
        "Percent, with 95 % intervals; the rate of false alarms stands in the head. Of canaries with SELENA half stand "
        "in the training data twice: this column tells of the others. Cost: processor time to train, of "
        "that without a defense."
    )
    return table(f"Scoreboard: {task.name}", head(found)[1:], rows, note)


def drawn(task: Task, found: Frontier) -> dict[str, Any]:
    """What inversion attacks draw behind each defense."""
    rows = []
    for row in found.rows:
        told = [row.inversion.get(attack) for attack in SEARCHES[task.name]]
        rows.append([row.name, *("–" if one is None or one.success is None else interval(one.success) for one in told)])
    note = (
        "Share of ten classes whose picture, drawn by queries to one model of the row, others name right: percent, "
        "with 95 % intervals; guessing has 10. What stands for a class is no person's picture here."
    )
    return table(f"Pictures drawn: {task.name}", ["defense", *SEARCHES[task.name]], rows, note)


def judged(name: str, found: Frontier, models: int = 16) -> Bars:
    """Whether a verdict is what others measured, as 1 or 0; SELENA and DP-SGD by their four leaks."""
    wanted = {
        "label_smoothing_backfired": ("training/label-smoothing:strength=0.3", Verdict.BACKFIRED),
        "flat_on_noise_backfired": ("training/flat-confidence:unclear=noise", Verdict.BACKFIRED),
        "hamp_training_backfired": ("training/hamp", Verdict.BACKFIRED),
        "hamp_swap_masking_only": ("output/hamp-swap", Verdict.MASKING),
        "l2_no_effect": ("training/l2:strength=0.0001", Verdict.NOTHING),
        "dropout_no_effect": ("training/dropout:rate=0.25", Verdict.NOTHING),
    }
    bars = {
        f"{name}_{what}": at_least(float(found.row(row).verdict == verdict), 1.0)
        for what, (row, verdict) in wanted.items()
    }
    for what, row in (("selena", "training/selena"), ("dp_sgd", "training/dp-sgd:noise=0.6,batch=128")):
        bars[f"{name}_{what}_lowers_leaks"] = at_least(lowered(found.row(row)), 4.0)
    bars[f"{name}_models_a_defense"] = at_least(found.models, models)
    return bars


def lowered(row: Row) -> float:
    """How many of the four leaks fell for certain, of people and canaries, by scores and labels."""
    rates = [rate for leak in LEAKS if (rate := rate_of(row.differences, leak)) is not None]
    return float(sum(row.differences[rate].high < 0 for rate in rates))
