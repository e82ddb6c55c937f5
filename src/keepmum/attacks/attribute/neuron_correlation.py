"""Attribute inference from the neurons whose activation goes along with a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.attribute._base import AttributeAttack
from keepmum.attacks.attribute._imputers import fit_predict, logistic
from keepmum.attacks.attribute._question import Guesses, Question
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.targets._base import GradientTarget

Floats = NDArray[np.float64]

BLOCK = 10_000
"""Candidate records whose activations are held at once."""


@dataclass(frozen=True)
class Neurons:
    """The neurons that go along with each value most.

    Attributes:
      layers: Names of the layers.
      place: ``(V, k)`` places among the neurons of all layers.
      mean: ``(V, k)`` mean activation, with the value put in for everybody.
      spread: ``(V, k)`` standard deviation.
      correlation: ``(V, k)`` with truly having the value.
    """

    layers: tuple[str, ...]
    place: NDArray[np.intp]
    mean: Floats
    spread: Floats
    correlation: Floats


@dataclass(frozen=True)
class NeuronCorrelation(AttributeAttack[GradientTarget]):
    """Neuron correlation.

    Some neurons of a network fire for people who have a value, whatever the record says of it: they have learned what
    goes along with it. The attacker finds them on people of their own, and looks whether they fire for this person.

    For each value, it is put in for everybody, and each neuron's activation is correlated with truly having it. The
    score is the mean of the standardized activations of the neurons with the largest correlations in size, weighted by
    the correlations. One half of the attacker's own people choose the neurons; from the other half a logistic
    regression learns how probable each value is given the scores.

    Attributes:
      neurons: Neurons for each value.

    References:
      Jayaraman, Evans. Are Attribute Inference Attacks Just Imputation? CCS 2022, arXiv:2209.01292, the white-box
      attack, with standardized activations in the place of their quantiles and negative correlations kept.
    """

    id: ClassVar[str] = "attribute/neuron-correlation"
    needs: ClassVar[type[GradientTarget]] = GradientTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2209.01292",)

    neurons: int = 10

    def __post_init__(self) -> None:
        if self.neurons < 1:
            raise ConfigError(f"expected at least 1 neuron, got {self.neurons}")

    def guess(self, target: GradientTarget, question: Question, ctx: Context) -> Guesses:
        """What a logistic regression makes of the scores of all values.

        Raises:
          NotApplicableError: The target shows no activations.
        """
        layers = self._layers(target, ctx)
        rows = self.own_people(question, ctx)
        halves = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        if any(len(np.unique(question.public_truth[half])) < 2 for half in halves):
            return np.tile(question.prior, (len(question), 1))
        first, second = (question.as_public(half) for half in halves)
        chosen = correlated(target, first, question.public_truth[halves[0]], layers, self.neurons)
        known, asked = scores(target, second, chosen), scores(target, question, chosen)
        return fit_predict(logistic(), known, question.public_truth[halves[1]], asked, question.prior)

    def _layers(self, target: GradientTarget, ctx: Context) -> tuple[str, ...]:
        """Layers to look at: each is asked for apart; the last ones, if not all can be paid."""
        if not target.layers:
            raise NotApplicableError("needs the activations of a network's layers; the target shows none")
        if ctx.queries_left is None:
            return target.layers
        each = 2 * self.affordable(ctx.queries_left) * self.per_record
        return target.layers[-max(1, ctx.queries_left // max(1, each)) :]


def correlated(
    target: GradientTarget, question: Question, truth: NDArray[np.intp], layers: Sequence[str], most: int
) -> Neurons:
    """The neurons whose activation, with a value put in for everybody, correlates most with truly having it.

    Args:
      target: The network.
      question: About the attacker's own people.
      truth: ``(n,)`` positions of their values.
      layers: Where to look.
      most: Neurons for each value.
    """
    has = np.eye(len(question.hidden))[truth]
    total, squares, along, start = 0.0, 0.0, 0.0, 0
    shift = 0.0
    for activations in _activations(target, question, layers):
        if not start:
            shift = activations.mean(axis=0)  # keeps the sums of squares of large activations exact
        moved, mine = activations - shift, has[start : start + len(activations)]
        total, squares = total + moved.sum(axis=0), squares + (moved**2).sum(axis=0)
        along = along + np.einsum("nv,nvw->vw", mine, moved)
        start += len(activations)
    mean, share = np.asarray(total) / start, has.mean(axis=0)[:, None]
    spread = np.sqrt(np.maximum(np.asarray(squares) / start - mean**2, 0.0))
    still = spread <= 1e-9 * (1 + np.abs(mean + shift))  # constant, but for rounding
    deviation = np.where(still, 1.0, spread) * np.sqrt(np.maximum(share * (1 - share), 1e-12))
    correlation = np.where(still, 0.0, (np.asarray(along) / start - share * mean) / deviation)
    place = np.argsort(-np.abs(correlation), axis=1, kind="stable")[:, :most]
    told = (mean + shift, np.where(still, 1.0, spread), correlation)
    return Neurons(tuple(layers), place.astype(np.intp), *(np.take_along_axis(each, place, axis=1) for each in told))


def scores(target: GradientTarget, question: Question, chosen: Neurons) -> Floats:
    """How much the neurons of each value fire when it is put in, ``(n, V)``, in standard deviations."""
    weights = chosen.correlation / np.maximum(np.abs(chosen.correlation).sum(axis=1, keepdims=True), 1e-12)
    parts = []
    for activations in _activations(target, question, chosen.layers):
        fired = np.take_along_axis(activations, chosen.place[None], axis=2)
        parts.append((((fired - chosen.mean) / chosen.spread) * weights).sum(axis=2))
    return np.concatenate(parts)


def _activations(target: GradientTarget, question: Question, layers: Sequence[str]) -> Iterator[Floats]:
    """Blocks of ``(people, V, neurons)``: means over completions."""
    values, draws = len(question.hidden), question.draws
    for block in question.blocks(BLOCK):
        table = np.column_stack([target.activations(block, layer) for layer in layers])
        yield table.reshape(-1, values, draws, table.shape[1]).mean(axis=2)
