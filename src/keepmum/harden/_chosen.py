"""Which defenses are compared, and what tells them apart for whoever trains and asks models."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from keepmum.attacks import Attack, choose
from keepmum.data import Records
from keepmum.defenses import Defense, OutputDefense, TrainingDefense, parse, settled
from keepmum.errors import ConfigError
from keepmum.harden._defaults import default_defenses
from keepmum.training import Trainer


def inversions(wanted: Sequence[str]) -> list[Attack[Any]]:
    """Inversion attacks by id.

    Raises:
      ConfigError: An unknown attack, or one of another family.
    """
    found = choose(wanted) if wanted else []
    other = next((attack.name for attack in found if attack.family != "inversion"), None)
    if other is not None:
        raise ConfigError(f"expected inversion attacks, got {other}: membership is measured for every defense anyway")
    return found


def combinations(
    given: Sequence[str | Defense | Sequence[Defense]] | None,
    trainer: Trainer,
    seed: int = 0,
    population: Records | None = None,
) -> list[tuple[Defense, ...]]:
    """What is compared with no defense, each once; labels alone at the end where they were not asked for.

    Secrets that nobody gave are drawn from the seed, so that the same call finds what it stored: nobody is served.
    Defenses that use public records get the population, unless they have some.
    """
    wanted = [given] if isinstance(given, (str, Defense)) else given
    if wanted is not None and not isinstance(wanted, Iterable):
        raise ConfigError(f"expected a list of defenses, got {wanted!r}")
    items = default_defenses(trainer) if wanted is None else list(wanted)
    made: list[tuple[Defense, ...]] = []
    for item in [*items, "output/label-only"]:
        each = parse(item) if isinstance(item, str) else item if isinstance(item, (tuple, list)) else (item,)
        if not all(isinstance(one, Defense) for one in each):
            raise ConfigError(f"expected defenses, their ids, or sequences of defenses, got {item!r}")
        each = tuple(_settled(one, seed, population) for one in each)
        if each and each not in made:
            made.append(each)
    return made


def _settled(defense: Defense, seed: int, population: Records | None) -> Defense:
    if population is not None and isinstance(defense, TrainingDefense):
        return defense.given(population)
    return settled(defense, seed)


def named(defenses: Sequence[Defense]) -> str:
    """A row's name."""
    return " + ".join(each.name for each in defenses) or "none"


def twice(defenses: Sequence[Defense]) -> bool:
    """Whether canaries that stand twice show what these defenses do not protect."""
    return any(getattr(each, "canaries", "") == "duplicated" for each in defenses)


def outputs(defenses: Sequence[Defense]) -> tuple[OutputDefense, ...]:
    """Those that stand in front of the model."""
    return tuple(each for each in defenses if isinstance(each, OutputDefense))


def trainings(defenses: Sequence[Defense]) -> tuple[Defense, ...]:
    """Those that change how the model is trained."""
    return tuple(each for each in defenses if not isinstance(each, OutputDefense))


def shareable(defenses: Sequence[Defense]) -> bool:
    """Whether what stands in front of the models hangs on each question alone, so that others may ask them too."""
    return all(each.repeatable and not each.limited for each in outputs(defenses))


def cost_of(defenses: Sequence[Defense]) -> float:
    """About how many times a plain training these take together."""
    return math.prod(each.cost for each in defenses if isinstance(each, TrainingDefense))
