"""Is a profile like the people of its class, and more like those trained on than like the others?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keepmum._encode import encode
from keepmum.attacks.inversion import _base as family
from keepmum.attacks.inversion._base import Floats, Resemblance
from keepmum.attacks.inversion._columns import Columns, Indices
from keepmum.attacks.inversion._nearer import nearer_p_value
from keepmum.data import Records
from keepmum.errors import NotApplicableError
from keepmum.stats import Estimate
from keepmum.stats.paired import paired_error_p_value

FEWEST_PEOPLE = 6
"""People of each side with whom profiles are compared, at least."""
MOST_PEOPLE = 200
"""People of a class and side who are compared with its profile, at most."""


@dataclass(frozen=True, eq=False)
class Guess:
    """What somebody of a class is said to look like.

    Attributes:
      numbers: ``(a,)``.
      donors: ``(b,)`` one of the attacker's records with the same kind, for each column or group that is no number.
    """

    numbers: Floats
    donors: Indices


@dataclass(frozen=True, eq=False)
class Crowd:
    """Everyone as numbers, the attacker's records first.

    Attributes:
      values: ``(n + p, d)`` numbers, or codes of what is none.
      space: How records can look.
    """

    values: Floats
    space: Columns

    def distances(self, guess: Guess, people: Indices) -> Floats:
        """Standardized distances of a guess to people, shape ``(p,)``: root of the mean square over the columns.

        A number counts in standard deviations, a kind as 0 or 1; what is missing, and what was given, does not count.
        """
        space, total, parts = self.space, np.zeros(len(people)), np.zeros(len(people))
        for place, j in enumerate(space.numbers):
            if space.high[place] > space.low[place]:
                off = (self.values[people, j] - guess.numbers[place]) / space.spread[place]
                total += np.where(np.isfinite(off), off**2, 0.0)
                parts += np.isfinite(off)
        for place, kind in enumerate(space.kinds):
            if len(kind.donors) > 1:
                chosen = list(kind.columns)
                total += (self.values[people][:, chosen] != self.values[guess.donors[place], chosen]).any(axis=1)
                parts += 1
        return np.asarray(np.sqrt(total / np.maximum(parts, 1)))

    def mean(self) -> Guess:
        """The public mean, and the most frequent kind: the best guess of one who knows nothing else."""
        space, donors = self.space, [kind.donors[kind.shares.argmax()] for kind in self.space.kinds]
        return Guess(np.clip(space.center, space.low, space.high), np.array(donors, dtype=np.intp))

    def record(self, row: int) -> Guess:
        """One of the attacker's records."""
        numbers, mean = self.space.values[row, self.space.numbers], self.mean()
        donors = np.full(len(self.space.kinds), row, dtype=np.intp)
        return Guess(np.where(np.isfinite(numbers), numbers, mean.numbers), donors)


def crowd(space: Columns, people: Records) -> Crowd:
    """The attacker's records, then ``people``, in one coding."""
    values = encode(space.public.join(people))
    return Crowd(
        np.where(np.isnan(values) & ~np.isin(np.arange(values.shape[1]), space.numbers), -np.inf, values), space
    )


@dataclass(frozen=True, eq=False)
class Classmates:
    """People of one class, as places in a `Crowd`.

    Attributes:
      place: The class.
      members: ``(k,)`` who were trained on.
      others: ``(o,)`` who were not.
    """

    place: int
    members: Indices
    others: Indices


def classmates(members: Indices, others: Indices, first: int, most: int, rng: np.random.Generator) -> list[Classmates]:
    """Classes of whom people stand on both sides; a random choice of ``most`` of them.

    Args:
      members: ``(m,)`` class of each member.
      others: ``(o,)`` class of each person the model never saw.
      first: Place of the first member in the crowd; the others follow the members.
      most: Classes at most.
      rng: Where the choice comes from.

    Raises:
      NotApplicableError: There are too few such people.
    """
    both = np.intersect1d(members, others)
    found = []
    for place in np.sort(rng.permutation(both)[:most]):
        ours, theirs = (rng.permutation(np.flatnonzero(side == place)) for side in (members, others))
        ours, theirs = ours[:MOST_PEOPLE], theirs[:MOST_PEOPLE]
        found.append(Classmates(int(place), first + ours, first + len(members) + theirs))
    people = sum(min(len(mates.members), len(mates.others)) for mates in found)
    if people < FEWEST_PEOPLE:
        raise NotApplicableError(
            f"needs {FEWEST_PEOPLE} members and as many people of their classes whom the model never saw, got {people}"
        )
    return found


@dataclass(frozen=True, eq=False)
class Likeness:
    """Distances of people to the profile of their class and to guesses without it, classes one after another.

    Attributes:
      members: ``(k,)`` people trained on, to the profile.
      others: ``(k,)`` as many people of each class whom the model never saw, to the profile.
      guesses: Distances of these others to a guess without a search, by its name.
      from_members: The same for the members.
      p_value: Evidence from everyone that people trained on are nearer.
    """

    members: Floats
    others: Floats
    guesses: dict[str, Floats]
    from_members: dict[str, Floats]
    p_value: float

    @classmethod
    def of(
        cls,
        everyone: Crowd,
        chosen: list[Classmates],
        profiles: list[Guess],
        best: list[Guess],
        rng: np.random.Generator,
    ) -> Likeness:
        """Measure the profile of each class, and the public record that the model is surest of."""
        by_name = {"resemblance": [everyone.mean()] * len(chosen), "resemblance_of_best_public_record": best}

        def to(guesses: list[Guess], side: str) -> list[Floats]:
            both = zip(guesses, chosen, strict=True)
            return [everyone.distances(guess, getattr(mates, side)) for guess, mates in both]

        members, others = to(profiles, "members"), to(profiles, "others")
        pairs = [min(len(mates.members), len(mates.others)) for mates in chosen]

        def alike(distances: list[Floats]) -> Floats:
            return np.concatenate([part[:size] for part, size in zip(distances, pairs, strict=True)])

        return cls(
            alike(members),
            alike(others),
            {name: alike(to(guesses, "others")) for name, guesses in by_name.items()},
            {name: alike(to(guesses, "members")) for name, guesses in by_name.items()},
            nearer_p_value(members, others, rng),
        )

    def judged(self, own: Floats, size: int) -> Resemblance:
        """Verdict, numbers and words: of the trained people only what is nearer to them than a guess tells anything."""
        best = min(self.guesses, key=lambda name: float(self.guesses[name].mean()))
        gain = family.mean(self.guesses[best] - self.others)
        verdict = family.CLASS if gain.low > 0 else family.NOTHING
        beyond = paired_error_p_value(self.members, self.from_members[best])
        p_value = max(self.p_value, beyond)
        verdict = family.RECORD if p_value <= family.LEVEL else verdict
        inside, outside = _resemblance(self.members), _resemblance(self.others)
        prior = _resemblance((self.from_members if verdict == family.RECORD else self.guesses)[best])
        return Resemblance(
            explanation=_explanation(verdict, inside, outside, prior, size),
            p_value=p_value,
            verdict=verdict,
            metrics={
                "resemblance": inside,
                "gain_over_prior": gain,
                "attackers_own_score": family.mean(own, 0.0, 1.0),
                "people_per_class": Estimate(size, size, size),
            },
            baseline={name: _resemblance(distances) for name, distances in self.from_members.items()},
            control={"resemblance": outside},
        )


def _resemblance(distances: Floats) -> Estimate:
    """One less the distance: 1 is the person, 0 as far as a guess at the mean is on average."""
    return family.mean(1.0 - distances, high=1.0)


def _explanation(verdict: str, inside: Estimate, outside: Estimate, prior: Estimate, size: int) -> str:
    classes = f"half of the classes have {size} or fewer people" if size != 1 else "most classes are one person"
    said = {
        family.RECORD: "are nearer to people it was trained on than to people of the same class whom it never saw",
        family.CLASS: "tell what the people of a class are like, and nothing about the trained ones in particular",
        family.NOTHING: "are no nearer to the people of a class than a guess without the model",
    }[verdict]
    return (
        f"Made-up records that the model is surest of {said} ({verdict}): resemblance {inside.value:.2f} to the "
        f"trained, {outside.value:.2f} to the others, {prior.value:.2f} for the best guess without a search; "
        f"{classes}."
    )
