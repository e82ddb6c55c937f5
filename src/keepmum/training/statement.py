"""What can be said about the privacy of a trained model, in words that leave nothing out."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

VACUOUS = 20.0
"""An epsilon above this bounds no attack that matters: it is reported as no guarantee."""


@dataclass(frozen=True)
class Statement:
    """A statement about differentially private training, in the order in which NIST SP 800-226 asks about claims.

    Attributes:
      epsilon: By privacy loss distributions: an upper bound.
      delta: Of the guarantee.
      epsilon_rdp: By Rényi differential privacy, looser, for comparison.
      unit: Whom the guarantee is about.
      adjacency: What two neighboring sets of records differ by.
      mechanism: What is noisy.
      noise: Noise multiplier.
      clip: Largest norm of a record's part.
      rate: Probability with which a record is drawn in a step.
      steps: Noisy sums that were released.
      sampling_assumed: By the accounting.
      sampling_used: By the training.
      accountant: What counted, with its version.
      randomness: Where draws and noise came from.
      search: Other trainings on the same records, and whether they are counted.
      caveats: What else must hold.
    """

    epsilon: float
    delta: float
    epsilon_rdp: float
    unit: str
    adjacency: str
    mechanism: str
    noise: float
    clip: float
    rate: float
    steps: int
    sampling_assumed: str
    sampling_used: str
    accountant: str
    randomness: str
    search: str
    caveats: tuple[str, ...]

    @property
    def is_guarantee(self) -> bool:
        """Whether epsilon is small enough to bound anything."""
        return self.epsilon <= VACUOUS

    @property
    def headline(self) -> str:
        """The statement in a sentence."""
        if not self.is_guarantee:
            told = "infinite" if math.isinf(self.epsilon) else f"{self.epsilon:.0f}"
            return (
                f"No guarantee: epsilon is {told} at delta {self.delta:g}. Noise of this size is a heuristic, whose "
                "worth an audit measures and nothing proves."
            )
        from keepmum.accounting import most_found

        found = most_found(self.epsilon, self.delta, 0.01)
        return (
            f"Epsilon is at most {self.epsilon:.2f} at delta {self.delta:g}, for one record more or less: an attack "
            f"with 1 % false alarms finds at most {100 * found:.0f} % of the records."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values; an infinite epsilon is None."""
        told = asdict(self)
        for name in ("epsilon", "epsilon_rdp"):
            told[name] = told[name] if math.isfinite(told[name]) else None
        return {**told, "caveats": list(self.caveats), "is_guarantee": self.is_guarantee, "headline": self.headline}

    def to_markdown(self) -> str:
        """A section for a model card."""
        lines = [
            ("epsilon", "infinite" if math.isinf(self.epsilon) else f"{self.epsilon:.3f}"),
            ("delta", f"{self.delta:g}"),
            ("epsilon by Rényi accounting", "infinite" if math.isinf(self.epsilon_rdp) else f"{self.epsilon_rdp:.3f}"),
            ("unit of privacy", self.unit),
            ("adjacency", self.adjacency),
            ("mechanism", self.mechanism),
            ("noise multiplier", f"{self.noise:g}"),
            ("clipping norm", f"{self.clip:g}"),
            ("sampling rate", f"{self.rate:.5g}"),
            ("steps", f"{self.steps:,}"),
            ("sampling assumed", self.sampling_assumed),
            ("sampling used", self.sampling_used),
            ("accountant", self.accountant),
            ("randomness", self.randomness),
            ("hyper-parameter search", self.search),
        ]
        table = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in lines)]
        caveats = [f"* {text}" for text in self.caveats]
        return "\n".join(["## Differential privacy", "", self.headline, "", *table, "", *caveats]) + "\n"


def searched(tried: int | None) -> str:
    """What is said of so many other settings that were trained on the same records; None if nobody counted."""
    if tried is None:
        return "not counted: if settings were chosen by training on the same records, more was spent"
    return f"{tried} other settings were trained on the same records, not part of this epsilon" if tried else "none"


def of_sampled_sums(
    noise: float, rate: float, steps: int, delta: float, clip: float, secure: bool, tried: int | None
) -> Statement:
    """The statement about DP-SGD with records drawn independently.

    Raises:
      MissingExtraError: dp-accounting is not installed.
    """
    from keepmum import accounting

    drawn = "Poisson: each record by itself, with the same probability in each step"
    return Statement(
        epsilon=accounting.sampled_epsilon(noise, rate, steps, delta),
        delta=delta,
        epsilon_rdp=accounting.sampled_epsilon(noise, rate, steps, delta, accounting.RDP),
        unit="one record; whoever has several has less",
        adjacency="one record is added or removed",
        mechanism="Gaussian noise on sums of gradients that are clipped record by record (DP-SGD)",
        noise=noise,
        clip=clip,
        rate=rate,
        steps=steps,
        sampling_assumed=drawn,
        sampling_used=drawn,
        accountant=f"{accounting.version()}, {accounting.PLD}",
        randomness="the operating system's" if secure else "a seed: whoever knows it knows the noise",
        search=searched(tried),
        caveats=(
            "The number of records and the classes are taken to be public.",
            "Numbers are floating-point: attacks on their last bits are not ruled out.",
            "The statement is about the weights and everything computed from them, and about nothing else that was "
            "published of the records, such as how they were scaled.",
            "What a class looks like is no secret of one record, and is not hidden.",
        ),
    )
