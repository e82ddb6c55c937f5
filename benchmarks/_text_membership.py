"""Documents in the training data of a small language model: every attack, a fair split and one that is not."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from common import Bars, at_least, at_most, table

from keepmum import instrument
from keepmum._settle import doubts, settle
from keepmum.attacks import Context
from keepmum.attacks.membership import text as family
from keepmum.data import Split
from keepmum.datasets import load_prose
from keepmum.findings import Finding, Outcome
from keepmum.overlap import remove_overlap
from keepmum.targets import Target
from keepmum.targets._remembered import remembered
from keepmum.texts import documents
from keepmum.training.text import train_causal, train_tokenizer

GOAL = 0.80
BEST, OTHERS = ("text-reference", "ez", "wbc"), ("min-k", "text-loss", "text-zlib")
ATTACKS = (
    family.TextLoss(),
    family.TextZlib(),
    family.TextLowercase(),
    family.MinK(),
    family.MinKPlusPlus(),
    family.TextReference(),
    family.Ez(),
    family.Wbc(),
    family.TextCombination(),
    family.Recall(),
    family.TextGradientNorm(),
    family.TextNeighborhood(neighbors=4),
    family.NgramCoverage(samples=4),
)
NOTE = (
    "{n} members and {n} held-out paragraphs of Jane Austen's novels, a random split; {removed} left both sides for "
    "passages in common. Target: a model in the manner of GPT-2 with {size:,} parameters, {epochs} epochs on the "
    "members and {more} other paragraphs ({trained:.0f} CPU s on one thread); reference: the same on {others} "
    "paragraphs that neither the target nor the audit holds, from which the tokenizer is, too; population: "
    "{population} more. {blind} {control}"
)
SHIFTED = (
    "Members from the first novels of the collection, non-members from the last, and a model that was trained on the "
    "members for one epoch. {blind} All {count} findings: {outcomes}."
)
HEAD = ["attack", "access", "AUC", "TPR at 10 % FPR", "queries a document", "CPU s"]


@dataclass(frozen=True)
class Size:
    """How large the measurement is.

    Attributes:
      people: Documents of each side.
      more: Further documents that the target was trained on.
      population: Documents that the attacker has.
      recipe: Changes to the recipe of the models.
    """

    people: int = 300
    more: int = 500
    population: int = 200
    recipe: tuple[tuple[str, Any], ...] = ()


FULL = Size()
QUICK = Size(100, 100, 50, (("layers", 2), ("width", 96), ("epochs", 8), ("context", 128)))
DEAR = ("text-neighborhood", "ngram-coverage", "text-gradient-norm")
"""Left out of the quick measurement."""


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    size = QUICK if quick else FULL
    data, target, reference, note = fair(size)
    clean, overlap = remove_overlap(data)
    began, asked = time.process_time(), remembered(target)
    ctx = Context(reference=reference)
    chosen = tuple(a for a in ATTACKS if not quick or a.id.split("/")[1] not in DEAR)
    found, seconds = played(asked, clean, ctx, chosen)
    checks = instruments(clean, ctx, overlap)
    settled = settle(found, doubts(checks))
    silent, _ = played(remembered(reference), clean, Context(), free_of_reference())
    removed = sum(len(side) for side in (data.members, data.nonmembers)) - len(clean.pool)
    note = note.format(
        removed=removed,
        blind=checks["blind_baseline"].explanation,
        control=checks["positive_control"].explanation,
    )
    shift_bars, shift_note = shifted(size)
    rows = [row(each, seconds[each.id], len(clean.pool)) for each in settled]
    print(f"  attacks: {time.process_time() - began:.0f} CPU s", flush=True)
    made = {**bars({each.id.split("/")[1]: each for each in settled}, checks, silent), **shift_bars}
    return made, [table("Documents of the training data", HEAD, rows, f"{note} {shift_note}")]


def fair(size: Size) -> tuple[Split, Target, Target, str]:
    """A random split, a model of the members and others, a model of strangers, and a sentence about them."""
    texts = load_prose(seed=0)
    n, kept = size.people, size.people + size.more
    members, held, more, texts = texts[:n], texts[n : 2 * n], texts[2 * n : n + kept], texts[n + kept :]
    others, population = texts[:kept], texts[kept : kept + size.population]
    assert len(population) == size.population, "as many paragraphs as are asked for"
    words = train_tokenizer(others)  # one of the members' texts would cut these into fewer tokens than other texts
    began = time.process_time()
    target = train_causal(members + more, seed=1, tokenizer=words, **dict(size.recipe))
    seconds = time.process_time() - began
    print(f"  target trained: {seconds:.0f} CPU s", flush=True)
    reference = train_causal(others, seed=2, tokenizer=words, **dict(size.recipe))
    weights = sum(parameter.numel() for parameter in target.model.parameters())
    epochs = dict(size.recipe).get("epochs", 6)
    note = NOTE.format(
        n=n, size=weights, epochs=epochs, more=len(more), trained=seconds, others=len(others),
        population=len(population), removed="{removed}", blind="{blind}", control="{control}",
    )  # fmt: skip
    return Split(documents(members), documents(held), documents(population)), target, reference, note


def played(
    target: Target, data: Split, ctx: Context, attacks: tuple[family.TextMembershipAttack[Any], ...]
) -> tuple[list[Finding], dict[str, float]]:
    """A finding of each attack, and CPU seconds."""
    found, seconds = [], {}
    for attack in attacks:
        began = time.process_time()
        found.append(attack.run(target, data, ctx.lend(attack.name)))
        seconds[attack.id] = time.process_time() - began
        print(f"  {attack.id}: AUC {found[-1].metrics['auc']}, {seconds[attack.id]:.1f} CPU s", flush=True)
    return found, seconds


def free_of_reference() -> tuple[family.TextMembershipAttack[Any], ...]:
    """Attacks that can be played on the reference model itself, to see that they are silent."""
    return tuple(a for a in ATTACKS if a.id.split("/")[1] not in (*BEST, *DEAR))


def instruments(data: Split, ctx: Context, overlap: Any) -> dict[str, Any]:
    """The audit's tests of itself."""
    return {
        "positive_control": instrument.positive_control(data, 0),
        "negative_control": instrument.negative_control(ctx.ledger, 0),
        "blind_baseline": instrument.blind_baseline(data, 0, 1_000),
        "overlap": instrument.overlap_check(overlap),
        "direction": instrument.direction(ctx.ledger),
    }


@cache
def in_order() -> tuple[str, ...]:
    """Paragraphs in the order of the books."""
    import lzma

    packed = (resources.files("keepmum.datasets") / "prose.txt.xz").read_bytes()
    return tuple(lzma.decompress(packed).decode("ascii").splitlines())


def shifted(size: Size) -> tuple[Bars, str]:
    """Members from other books than non-members: what an audit says of them."""
    texts, rng = in_order(), np.random.default_rng(0)
    third = len(texts) // 3
    sides = [rng.permutation(part)[: size.people].tolist() for part in (texts[:third], texts[-third:])]
    clean, overlap = remove_overlap(Split(*(documents(side) for side in sides)))
    recipe = {**dict(size.recipe), "epochs": 1}
    words = train_tokenizer(load_prose(2 * size.people, seed=1))
    target, ctx = remembered(train_causal(sides[0], seed=3, tokenizer=words, **recipe)), Context()
    found, _ = played(target, clean, ctx, (family.TextLoss(), family.MinK(), family.TextZlib()))
    checks = instruments(clean, ctx, overlap)
    settled = settle(found, doubts(checks))
    share = float(np.mean([each.outcome is Outcome.INCONCLUSIVE for each in settled]))
    note = SHIFTED.format(
        blind=checks["blind_baseline"].explanation,
        count=len(settled),
        outcomes=", ".join(sorted({each.outcome.value for each in settled})),
    )
    print(f"  {note}", flush=True)
    return {
        "text_membership_shifted_inconclusive": at_least(share, 1.0),
        "text_membership_shifted_blind_auc_low": at_least(checks["blind_baseline"].metrics["auc"].low, 0.5),
    }, note


def row(finding: Finding, seconds: float, people: int) -> list[Any]:
    rate = finding.metrics.get("tpr_at_fpr_0.1")
    shown = "" if rate is None else str(rate)
    return [
        finding.id,
        finding.access,
        str(finding.metrics["auc"]),
        shown,
        f"{finding.queries / people:.1f}",
        f"{seconds:.1f}",
    ]


def bars(found: dict[str, Finding], checks: dict[str, Any], silent: list[Finding]) -> Bars:
    """One bar for each figure that has a goal."""
    areas = {name: finding.metrics["auc"].value for name, finding in found.items()}
    made = {f"text_membership_{name.replace('-', '_')}_auc": at_least(areas[name], GOAL) for name in BEST}
    above = min(areas[name] for name in BEST) - max(areas[name] for name in OTHERS)
    blind = checks["blind_baseline"].metrics["auc"]
    alarms = [each for each in settle(silent, []) if each.outcome is Outcome.LEAK]
    return {
        **made,
        "text_membership_with_reference_above_without": at_least(above, 0.0),
        "text_membership_blind_auc_low": at_most(blind.low, 0.5),
        "text_membership_blind_auc_high": at_least(blind.high, 0.5),
        "text_membership_positive_control_caught": at_least(float(checks["positive_control"].passed is True), 1.0),
        "text_membership_alarms_on_a_model_of_strangers": at_most(len(alarms), 0.0),
    }


if __name__ == "__main__":
    import sys

    import torch

    torch.set_num_threads(1)
    print(measure("--quick" in sys.argv)[0])
