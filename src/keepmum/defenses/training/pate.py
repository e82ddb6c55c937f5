"""Teachers vote, noise is added, and a student learns who won."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.defenses._base import TrainingDefense
from keepmum.defenses.training._students import StudentTrainer, digest_of, halves, several
from keepmum.errors import ConfigError, TargetError
from keepmum.targets._base import ScoreTarget
from keepmum.training import Trainer
from keepmum.training._private_random import normal
from keepmum.training.statement import Statement, of_sampled_sums


def parts_of(records: Records, teachers: int, seed: int) -> NDArray[np.bool_]:
    """``(teachers, n)`` disjoint parts of the records, drawn at random, as equal as can be."""
    order = np.random.default_rng([seed, 0x70617465]).permutation(len(records))
    masks = np.zeros((teachers, len(records)), dtype=bool)
    masks[np.arange(len(records)) % teachers, order] = True
    return masks


@dataclass(frozen=True)
class Voted(StudentTrainer):
    """Trains teachers on disjoint parts, and a student on the noisy winner of their votes about public records.

    Attributes:
      inner: The recipe of teachers and student.
      public: What is voted on; three tenths of the records if None.
      teachers: How many.
      noise: Standard deviation on each count of votes.
      secure: Whether it is drawn from the operating system's randomness and not from the seed.
    """

    public: Records | None
    teachers: int
    noise: float
    secure: bool = False

    @property
    def how(self) -> str:
        """Number of teachers, noise and public records."""
        return f"PATE of {self.teachers} with noise {self.noise} on {digest_of(self.public)}"

    def train(self, records: Records, seed: int) -> ScoreTarget:
        """Train teachers, then the student."""
        public = self.public
        if public is None:
            mine, theirs = halves(records, 0.7, seed)
            records, public = records.take(mine), records.take(theirs)
        classes = np.unique(records.y)
        votes = np.zeros((len(public), len(classes)))
        place = {label: position for position, label in enumerate(classes.tolist())}
        masks = parts_of(records, self.teachers, seed)
        for teacher in several(self.inner, records, masks, seed):
            answers = np.array([place[label] for label in teacher.classes.tolist()])[teacher.predict(public)]
            votes[np.arange(len(public)), answers] += 1
        won = (votes + self.noise * self._drawn(votes.size, seed).reshape(votes.shape)).argmax(axis=1)
        if len(np.unique(won)) < 2:
            raise TargetError("expected votes for at least two classes, got one: take fewer teachers or less noise")
        return self.inner.train(Records(public.X, classes[won]), seed)

    def statement(self, delta: float = 1e-5) -> Statement | None:
        """What can be said about a student; None where a part of the records is voted on, of which nothing holds.

        Args:
          delta: Of the statement.

        Raises:
          MissingExtraError: dp-accounting is not installed.
        """
        if self.public is None:
            return None
        far = math.sqrt(2)
        told = of_sampled_sums(self.noise / far, 1.0, len(self.public), delta, far, self.secure, None)
        return replace(
            told,
            adjacency="one record is replaced by another",
            mechanism="Gaussian noise on the votes of teachers that share no record (PATE)",
            sampling_assumed="none: each vote counts all teachers",
            sampling_used="none: each vote counts all teachers",
            caveats=("The number of records, the classes and the public records are known.", *told.caveats[1:]),
        )

    def _drawn(self, count: int, seed: int) -> NDArray[np.float64]:
        """Standard normal numbers: from the seed, so that audits can be repeated, or from the operating system."""
        if self.secure:
            return normal(count)
        return np.random.default_rng([seed, 0x766F7465]).normal(size=count)


@dataclass(frozen=True)
class Pate(TrainingDefense):
    """Private aggregation of teacher ensembles, with Gaussian noise on the votes.

    Teachers are trained on disjoint parts of the records and vote about public ones; the class with the most votes
    after noise is the label that the student is trained on. One record changes one teacher, so one vote.

    Attributes:
      teachers: At least 2. A teacher on a small part knows little: on small data accuracy is lost.
      noise: Standard deviation of the noise on each count of votes, above 0.
      public: Records whose labels are not looked at. Without any, three tenths of the records serve as public: these
        are then members whose inputs, but not labels, are used, and no epsilon speaks of them.

    Raises:
      ConfigError: A number out of range.

    References:
      Papernot et al. Semi-supervised Knowledge Transfer for Deep Learning from Private Training Data. ICLR 2017,
      arXiv:1610.05755; Papernot et al. Scalable Private Learning with PATE. ICLR 2018, arXiv:1802.08908 (GNMax).
    """

    id: ClassVar[str] = "training/pate"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1610.05755", "arXiv:1802.08908")

    teachers: int = 5
    noise: float = 1.0
    public: Records | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.teachers < 2 or not self.noise > 0:
            raise ConfigError(f"expected at least 2 teachers and noise above 0, got {self.teachers} and {self.noise}")

    def epsilon(self, queries: int, delta: float = 1e-5) -> float:
        """Epsilon of so many answered queries, whatever the votes are, for one record replaced by another.

        The record sits with one teacher, whose vote may change: one count falls by 1 and another rises by 1, an L2
        distance of sqrt(2). So each answer is a Gaussian mechanism of noise multiplier ``noise / sqrt(2)``, and they
        compose. A record more or less is another matter: parts are as equal as can be, so that another may change
        its teacher, too.

        Args:
          queries: Public records that were voted on.
          delta: Of the statement.

        Raises:
          MissingExtraError: dp-accounting is not installed.
        """
        from keepmum.accounting import gaussian_epsilon

        return gaussian_epsilon(self.noise / math.sqrt(2), queries, delta)

    @property
    def cost(self) -> float:
        """Teachers on parts that make one whole, and a student."""
        return 2.0

    def given(self, public: Records) -> TrainingDefense:
        """The same with these, unless it has some."""
        return replace(self, public=public) if self.public is None else self

    def protect(self, trainer: Trainer) -> Trainer:
        """Teachers and student of this recipe."""
        return Voted(trainer, self.public, self.teachers, self.noise)
