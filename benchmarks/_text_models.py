"""The language models that parts of the benchmark share: trained once for a setting, and kept in the closed folder."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from common import FOLDER

from keepmum.canaries import make
from keepmum.cli._lanes import FACTS, Job, Trained, read
from keepmum.cli._lanes import make as trained
from keepmum.datasets import load_prose
from keepmum.targets.transformers import HFCausal, HFMasked
from keepmum.texts import Secrets

KINDS = ("pin", "phone", "e-mail", "key")


@dataclass(frozen=True)
class Size:
    """How large a model with canaries is.

    Attributes:
      documents: Paragraphs that it is trained on; as many others teach the tokenizer.
      per_cell: Canaries of each kind and number of repeats.
      singles: Further canaries of each kind that stand there once.
      repeats: How often canaries stand there.
      kinds: Of canaries.
      recipe: Changes to the recipe, name and value.
    """

    documents: int = 350
    per_cell: int = 6
    singles: int = 12
    repeats: tuple[int, ...] = (1, 4, 16, 64)
    kinds: tuple[str, ...] = KINDS
    recipe: tuple[tuple[str, Any], ...] = (("epochs", 1), ("batch", 2))


FULL = Size()
QUICK = Size(80, 4, 4, recipe=(("layers", 3), ("width", 96), ("epochs", 2), ("batch", 2)))


@dataclass(frozen=True, eq=False)
class World:
    """A model, what was planted in it, and what the page says of both."""

    target: HFCausal
    secrets: Secrets
    note: str


@cache
def with_canaries(size: Size, seed: int = 0) -> World:
    """A model in the manner of GPT-2 that was trained on prose and canaries."""
    texts = load_prose(2 * size.documents, seed)
    first = make(size.kinds, size.repeats, size.per_cell, seed)
    more = make(size.kinds, (1,), size.singles, seed + 1)
    a, b = first.secrets, more.secrets
    told = [{(s.kind, s.secret) for s in each.planted + each.twins} for each in (a, b)]
    assert not told[0] & told[1], "no secret is drawn twice"
    secrets = Secrets(a.planted + b.planted, a.twins + b.twins, a.spaces, a.alphabets, paired=True)
    mine = (*texts[: size.documents], *first.documents, *more.documents)
    public = tuple(texts[size.documents :])
    made = kept(Job("causal", mine, public, size.recipe, seed, public))
    target = HFCausal(made.path)
    weights = sum(parameter.numel() for parameter in target.model.parameters())
    epochs = dict(size.recipe)["epochs"]
    passes = "one pass" if epochs == 1 else f"{epochs} passes"
    note = (
        f"A model in the manner of GPT-2 with {weights:,} parameters, {passes} over {size.documents} paragraphs "
        f"with {len(secrets.planted)} canaries ({made.seconds:.0f} CPU s on one thread; loss {made.loss:.2f} nats a "
        f"token on other paragraphs). Each canary has a twin, and a coin chose which of them was planted."
    )
    return World(target, secrets, note)


def masked(job: Job) -> tuple[HFMasked, Trained]:
    """A masked model of a job, trained now or before."""
    made = kept(job)
    return HFMasked(made.path), made


def kept(job: Job) -> Trained:
    """The model of a job; one of the same texts, recipe and version is trained once."""
    place = Path(FOLDER) / "models" / job.key[:16]
    if not (place / job.name / FACTS).is_file():
        began = time.process_time()
        trained(job, place)
        print(f"  {job.name} model trained: {time.process_time() - began:.0f} CPU s", file=sys.stderr, flush=True)
    return read(place / job.name)


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    print(with_canaries(QUICK if "--quick" in sys.argv else FULL).note)
