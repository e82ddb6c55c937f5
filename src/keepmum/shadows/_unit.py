"""A unit of work: one fleet of shadow models, trained where the engine says."""

from __future__ import annotations

import math
import sys
import time
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.shadows._signal import SCALED_LOGIT, Signal
from keepmum.targets._base import ScoreTarget
from keepmum.training import Trainer
from keepmum.training.engines import Shared

Pair = tuple[NDArray[np.bool_], tuple[int, int]]


class Work(NamedTuple):
    """What every unit needs."""

    trainer: Trainer
    records: Records
    signal: Signal


class Cost(NamedTuple):
    """What one shadow model took.

    Attributes:
      seconds: Time on one worker, for each model of a fleet.
      memory: Most bytes that the worker held at any time, with everything that it had loaded; 0 where not known.
      training: Processor seconds in which it was trained, and not asked: the same however busy the machine is.
    """

    seconds: float
    memory: int
    training: float = math.nan


class Trained(NamedTuple):
    """What came of a unit.

    Attributes:
      signals: ``(pairs, 2, n)`` scaled logits, or ``(pairs, 2, n, d)`` of another signal.
      cost: Of one model of the fleet.
    """

    signals: NDArray[np.float32]
    cost: Cost


def train_unit(work: Shared[Work], fleet: list[Pair]) -> Trained:
    """Train one fleet on one thread, so that the same comes out wherever it is trained."""
    import joblib
    from threadpoolctl import threadpool_limits

    trainer, records, signal = work.get()
    began, busy, asking = time.perf_counter(), time.process_time(), _Clock(signal)
    # a worker of a cluster would hand the trees of a forest back to the cluster
    with threadpool_limits(1), joblib.parallel_config("sequential"):
        signals = train_fleet(trainer, records, fleet, Signal(signal.name, asking))
    took, worked, models = time.perf_counter() - began, time.process_time() - busy, 2 * len(fleet)
    return Trained(signals, Cost(took / models, _most_memory(), (worked - asking.seconds) / models))


class _Clock:
    """Asks what a signal asks, and tells how many processor seconds that took."""

    def __init__(self, signal: Signal) -> None:
        self.signal, self.seconds = signal, 0.0

    def __call__(self, target: ScoreTarget, records: Records) -> NDArray[Any]:
        began = time.process_time()
        told = self.signal.ask(target, records)
        self.seconds += time.process_time() - began
        return told


def train_fleet(
    trainer: Trainer, records: Records, fleet: list[Pair], signal: Signal = SCALED_LOGIT
) -> NDArray[np.float32]:
    """Train some pairs and ask the models about everybody: ``(pairs, 2, n)`` scaled logits, or ``(pairs, 2, n, d)``."""
    masks = np.concatenate([mask for mask, _ in fleet])
    seeds = [seed for _, pair in fleet for seed in pair]
    models = trainer.train_fleet(records, masks, seeds)
    rows = np.stack([signal.ask(model, records).astype(np.float32) for model in models])
    return rows.reshape(len(fleet), 2, *rows.shape[1:])


def _most_memory() -> int:
    with suppress(ImportError):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return int(most) if sys.platform == "darwin" else int(most) * 1024
    return 0
