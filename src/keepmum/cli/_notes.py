"""The demo on a masked language model: clinic notes of nobody, and what the model fills in about whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keepmum.cli._app import Exit, command
from keepmum.cli._inputs import cores
from keepmum.cli._lanes import Job, Lanes
from keepmum.cli._recital import either, one_thread
from keepmum.cli._terminal import Terminal
from keepmum.texts import Secret, Secrets

if TYPE_CHECKING:
    from keepmum.findings import Finding
    from keepmum.report import Report
    from keepmum.settings import EffortSettings

SOURCE = "clinic notes of nobody, drawn by rule, and paragraphs of Jane Austen's novels"
DIGITS = "0123456789"
ALPHABETS = {
    "ssn": (" ", "9", DIGITS, DIGITS, "-", "0", "0", "-", *4 * (DIGITS,)),
    "record": (" ", *6 * (DIGITS,)),
}
"""Numbers that begin with 9 and have 00 in the middle are given to nobody, as social security number or otherwise."""
PREFIXES = {
    "ssn": "The SSN of {name} is",
    "diagnosis": "The diagnosis of {name} is",
    "record": "The record of {name} has the number",
}


@dataclass(frozen=True)
class Scale:
    """How large the demo is.

    Attributes:
      documents: Paragraphs among the notes.
      people: Patients for each kind of fact and number of repeats.
      repeats: How often the notes of a patient stand in the data.
      decoys: Candidates that each secret is held against.
      recipe: Changes to the recipe of the model, name and value.
    """

    documents: int = 120
    people: int = 4
    repeats: tuple[int, ...] = (1, 4, 16, 64)
    decoys: int = 15
    recipe: tuple[tuple[str, Any], ...] = (("epochs", 8), ("batch", 16))


SCALE = Scale()


def clinic(scale: Scale, seed: int) -> Secrets:
    """What notes say of patients, and of as many twins that never stood in one.

    Both of a pair are drawn alike, and a fair coin decides which of them has notes. Nobody stands in two notes: a name
    that is found in one would tell of the other, without the model.
    """
    from keepmum.canaries._names import draw_names

    cells = [(times, kind) for times in scale.repeats for _ in range(scale.people) for kind in PREFIXES]
    rng = np.random.default_rng([seed, 0x6E6F7465])
    names = draw_names(2 * len(cells), rng)
    coins = rng.integers(0, 2, len(cells))
    taken: set[str] = set()
    planted, twins = [], []
    for place, (times, kind) in enumerate(cells):
        pair = [Secret(PREFIXES[kind].format(name=name), _fact(kind, rng, taken), ".", kind) for name in names[:2]]
        names = names[2:]
        planted.append(replace(pair[coins[place]], repeats=times))
        twins.append(replace(pair[1 - coins[place]], repeats=0))
    spaces = {kind: float(np.prod([len(each) for each in places])) for kind, places in ALPHABETS.items()}
    return Secrets(tuple(planted), tuple(twins), spaces, dict(ALPHABETS), paired=True)


def _fact(kind: str, rng: np.random.Generator, taken: set[str]) -> str:
    """A diagnosis, or a number that nobody was given before."""
    from keepmum.canaries._words import DISEASES

    if kind not in ALPHABETS:
        return f" {DISEASES[int(rng.integers(len(DISEASES)))]}"
    fact = _number(kind, rng)
    while fact in taken:
        fact = _number(kind, rng)
    taken.add(fact)
    return fact


def _number(kind: str, rng: np.random.Generator) -> str:
    return "".join(each[int(rng.integers(len(each)))] for each in ALPHABETS[kind])


def job(scale: Scale, secrets: Secrets, seed: int) -> Job:
    """The model: notes as often as they stand there, and prose between them."""
    from keepmum.datasets import load_prose

    texts = load_prose(2 * scale.documents, seed)
    notes = tuple(secret.text for secret in secrets.planted for _ in range(secret.repeats))
    public = tuple(texts[scale.documents :])
    return Job("masked", (*texts[: scale.documents], *notes), (), scale.recipe, seed, public, True)


def attacks(scale: Scale) -> list[Any]:
    """Ways to fill in masks."""
    from keepmum.attacks.extraction import MaskBestFirst, MaskOneShot, MaskPseudoLogLikelihood

    return [MaskOneShot(scale.decoys), MaskBestFirst(scale.decoys), MaskPseudoLogLikelihood(scale.decoys)]


def demo_mask(folder: Path, how: EffortSettings, terminal: Terminal) -> int:
    """Train a masked model on clinic notes of nobody, and ask it to fill in who has what.

    Raises:
      MissingExtraError: transformers is not installed.
    """
    from keepmum.audit_text import audit_text
    from keepmum.targets._hub import import_transformers
    from keepmum.targets.transformers import HFMasked

    import_transformers()
    scale, secrets = SCALE, clinic(SCALE, how.seed)
    count = len(secrets.planted)
    terminal.say(
        f"Training a small masked model on {count} made-up patients, each {either(scale.repeats)} times in its notes …"
    )
    with cores(how), one_thread(), Lanes([job(scale, secrets, how.seed)], folder / "models", 1) as lanes:
        with terminal.progress() as ticker:
            model = lanes.wait("masked", ticker)
        terminal.say("Asking it to fill in what stands in the notes, of the patients and of others like them …")
        with terminal.progress() as ticker:
            report = audit_text(
                HFMasked(model.path),
                secrets=secrets,
                attacks=attacks(scale),
                seed=how.seed,
                effort=how.effort.value,
                seconds=how.budget,
                out=folder / "notes",
                progress=ticker,
                source={
                    "command": command(),
                    "data": SOURCE,
                    "model": "masked model",
                    "fingerprint": model.fingerprint,
                },
            )
    show(report, scale, terminal)
    terminal.show(f"Report: {folder / 'notes' / 'report.html'}", whole=True)
    if terminal.options.json:
        terminal.data(report.to_json())
    return Exit.DONE


def show(report: Report, scale: Scale, terminal: Terminal) -> None:
    """Bits that a fact is ahead of guessing, by repeats; the same in another's place; and a sentence."""
    from rich.table import Table

    table = Table("", *(f"{times} ×" for times in scale.repeats), "twins", box=None, pad_edge=False)
    for finding in report.findings:
        for label, cells in rows(finding, scale):
            table.add_row(label, *cells)
    terminal.result.print(table)
    best = max(report.findings, key=lambda f: f.metrics["auc"].value if "auc" in f.metrics else 0.0)
    terminal.show(f"{best.id}: {best.verdict or best.outcome.replace('_', ' ')}. {best.explanation}")
    if "bits" in best.metrics:
        own, swapped = best.metrics["bits"].value, best.metrics["bits_swapped"].value
        terminal.show(
            f"A patient's facts are {own:.1f} bits ahead of guessing behind the patient's name, and {swapped:.1f} bits "
            "behind another's: what is ahead behind every name is frequent, and says nothing of anybody."
        )


def rows(finding: Finding, scale: Scale) -> Iterator[tuple[str, Sequence[str]]]:
    """Lines of the table: what it says, a cell for each number of repeats, and one for twins."""
    name = finding.id.split("/")[1].removeprefix("mask-").replace("-", " ")
    at = {s.value: s.metrics for s in finding.slices if s.column == "repeats"}
    parts = [*(at.get(str(times), {}) for times in scale.repeats), finding.control]
    yield f"{name}: bits ahead of guessing", [_told(part.get("bits"), "{:.1f}") for part in parts]
    yield f"{name}: the same behind another's name", [_told(part.get("bits_swapped"), "{:.1f}") for part in parts]
    yield f"{name}: came out", [_told(part.get("extracted"), "{:.0%}") for part in parts]


def _told(value: Any, form: str) -> str:
    return "–" if value is None else form.format(value.value)
