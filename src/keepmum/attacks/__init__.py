"""All attacks, found by discovery: every concrete class in the family packages."""

from __future__ import annotations

from typing import Any

from keepmum.attacks import membership
from keepmum.attacks._base import Attack, Context

_FAMILIES = (membership,)


def attack_classes() -> list[type[Attack[Any]]]:
    """Every concrete attack class, sorted by id."""
    found = [getattr(family, name) for family in _FAMILIES for name in family.__all__]
    return sorted((c for c in found if not getattr(c, "__abstractmethods__", None)), key=lambda c: c.id)


def default_attacks() -> list[Attack[Any]]:
    """Every attack with its default settings, and each signal attack also with thresholds by class."""
    attacks: list[Attack[Any]] = []
    for cls in attack_classes():
        attacks.append(cls())
        if issubclass(cls, membership.SignalAttack):
            attacks.append(cls(per_class=True))
    return attacks


__all__ = ["Attack", "Context", "attack_classes", "default_attacks"]
