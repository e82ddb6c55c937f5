"""Private training of a language model: what it learns of texts' form, and what of the secrets in them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from _text_models import KINDS
from common import Bars, at_least, at_most, table

from keepmum.attacks import Context
from keepmum.attacks.extraction import Exposure, Greedy, Sampled
from keepmum.canaries import make
from keepmum.cli._lanes import loss_on
from keepmum.datasets import load_prose
from keepmum.findings import Finding
from keepmum.targets.transformers import HFCausal
from keepmum.texts import Secrets
from keepmum.training import PrivateTexts, train_causal

EPSILON = 8.0
RATE = 3e-3
"""Settings were chosen on seed 0; what is shown is of another."""
SEED = 1


@dataclass(frozen=True, eq=False)
class Seen:
    """What is told of a model.

    Attributes:
      name: What it is called.
      exposure: Of the secrets.
      out: Share of planted secrets that came out, greedily or in samples.
      prose: Nats a token on prose that it never read.
      alike: Nats a token on sentences like those with secrets that it never read: the twins'.
      seconds: CPU seconds to train it.
    """

    name: str
    exposure: Finding
    out: float
    prose: float
    alike: float
    seconds: float

    @property
    def by_repeats(self) -> dict[int, Any]:
        """Metrics by how often a secret stands there."""
        return {int(part.value): part.metrics for part in self.exposure.slices if part.column == "repeats"}


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    count, epochs = (80, 6) if quick else (400, 4)
    prose = load_prose(4 * count, SEED)
    mine, public, unread = prose[:count], prose[count : 2 * count + count // 2], prose[3 * count :]
    made = make(KINDS, (1, 4, 16), 3 if quick else 8, SEED)
    texts = [*mine, *made.documents]
    private = PrivateTexts(epsilon=EPSILON, batch=128)
    began = time.process_time()
    start = train_causal(public, seed=SEED, epochs=epochs)
    seen = [told("before", start, made.secrets, unread, began)]
    began = time.process_time()
    plain = train_causal(texts, start=start, seed=SEED, epochs=epochs)
    seen.append(told("plain", plain, made.secrets, unread, began))
    began = time.process_time()
    guarded = train_causal(texts, start=start, seed=SEED, epochs=epochs, lr=RATE, private=private)
    seen.append(told(f"private, epsilon {EPSILON:g}", guarded, made.secrets, unread, began))
    statement = private.statement(len(texts), epochs)
    note = (
        f"A model in the manner of GPT-2 that read {len(public)} paragraphs goes on with {len(mine)} others and "
        f"{len(made.secrets.planted)} canaries, {len(texts)} texts in all, {epochs} times. {statement.headline} A text "
        "is the unit: what stands there 16 times is guarded 16 times less, and may leave a trace. "
        "Alike: sentences of the canaries' twins, which stood nowhere."
    )
    head = ["model", "loss on prose", "loss on sentences alike", *(f"bits, {k} ×" for k in seen[0].by_repeats)]
    return bars(seen, statement.epsilon), [
        table("Private training", [*head, "twins", "came out", "CPU s"], rows(seen), note)
    ]


def told(name: str, model: HFCausal, secrets: Secrets, unread: list[str], began: float) -> Seen:
    """What a model gives away, and what it learned."""
    seconds, ctx = time.process_time() - began, Context(secrets=secrets)
    attacks = (Exposure(others=63), Greedy(), Sampled(samples=8))
    exposure, *asked = (attack.run(model, secrets.split, ctx.lend(attack.name)) for attack in attacks)
    prose, alike = (loss_on(model, texts) or 0.0 for texts in (unread, [each.text for each in secrets.twins]))
    out = max(finding.metrics["extracted"].value for finding in asked)
    print(f"  {name}: {exposure.verdict}, loss {prose:.2f} and {alike:.2f}, {seconds:.0f} CPU s", flush=True)
    return Seen(name, exposure, out, prose, alike, seconds)


def rows(seen: list[Seen]) -> list[list[str]]:
    """A row for each model."""
    return [
        [
            each.name, f"{each.prose:.2f}", f"{each.alike:.2f}",
            *(str(metrics["exposure"]) for metrics in each.by_repeats.values()),
            str(each.exposure.control["exposure"]), f"{each.out:.0%}", f"{each.seconds:.0f}",
        ]
        for each in seen
    ]  # fmt: skip


def bars(seen: list[Seen], epsilon: float) -> Bars:
    """One bar for each figure that has a goal."""
    before, plain, private = seen
    most = max(plain.by_repeats)
    bits = [each.by_repeats[most]["exposure"].value for each in (private, plain)]
    return {
        "private_epsilon": at_most(epsilon, EPSILON),
        "private_nats_learned_of_sentences_alike": at_least(before.alike - private.alike, 0.5),
        "private_plain_auc_of_what_stands_16_times": at_least(plain.by_repeats[most]["auc"].value, 0.8),
        "private_share_of_plain_bits_of_what_stands_16_times": at_most(bits[0] / bits[1], 0.5),
        "private_least_auc_of_what_stands_once": at_most(private.by_repeats[1]["auc"].low, 0.5),
        "private_exposure_above_twins": at_most(
            private.exposure.metrics["exposure"].value - private.exposure.control["exposure"].value, 0.5
        ),
        "private_secrets_that_came_out": at_most(private.out, 0.0),
    }
