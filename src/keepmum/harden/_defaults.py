"""Which defenses are tried on a recipe unless told otherwise."""

from __future__ import annotations

from keepmum.defenses import Defense, OutputDefense, TrainingDefense, defense_classes
from keepmum.errors import KeepmumError
from keepmum.training import Trainer

ASIDE = frozenset({"output/query-budget", "output/abstain", "training/adversarial", "training/heuristic-dp"})
"""Defenses that are tried only where they are named: they need to be told more, or cost many times the training."""


def default_defenses(trainer: Trainer) -> list[Defense]:
    """Every defense that suits a recipe with its default settings: of training first, then of answers."""
    found: list[Defense] = []
    for cls in defense_classes():
        if str(cls.id) in ASIDE:
            continue
        try:
            defense = cls()
            if isinstance(defense, TrainingDefense):
                _ = defense.protect(trainer).key
        except (KeepmumError, TypeError):  # it does not suit this recipe, or must be told something first
            continue
        found.append(defense)
    return sorted(found, key=lambda each: isinstance(each, OutputDefense))
