"""Every attack, found by discovery, and how they are chosen by id."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from keepmum.attacks import attribute, extraction, inversion, membership, structural
from keepmum.attacks._base import Attack
from keepmum.errors import ConfigError

_FAMILIES = (attribute, extraction, inversion, membership, structural)


def attack_classes() -> list[type[Attack[Any]]]:
    """Every concrete attack class, sorted by id."""
    found = [getattr(family, name) for family in _FAMILIES for name in family.__all__]
    found = [value for value in found if isinstance(value, type) and issubclass(value, Attack)]
    return sorted((c for c in found if not getattr(c, "__abstractmethods__", None)), key=lambda c: str(c.id))


def default_attacks() -> list[Attack[Any]]:
    """Every attack with its default settings, and each signal attack also with thresholds by class."""
    attacks: list[Attack[Any]] = []
    for cls in attack_classes():
        attacks.append(cls())
        if issubclass(cls, membership.SignalAttack):
            attacks.append(cls(per_class=True))
    return attacks


def choose(wanted: Sequence[str | Attack[Any]] | None) -> list[Attack[Any]]:
    """Attacks by id or pattern, in the order of the catalog; a leading minus takes out. None means all.

    Variants that an audit does not play by itself are had by their whole name.

    Raises:
      ConfigError: A pattern that fits no attack, or patterns that leave none.
    """
    catalog = default_attacks()
    if wanted is None:
        return catalog
    wanted = [wanted] if isinstance(wanted, str) else wanted
    names = [w for w in wanted if isinstance(w, str)]
    variants = {attack.name: attack for cls in attack_classes() for attack in cls.variants()}
    for name in names:
        if name not in variants and not any(fnmatchcase(a.name, name.removeprefix("-")) for a in catalog):
            by_technique = {a.name.split("/", 1)[1]: a.name for a in catalog}
            close = difflib.get_close_matches(name.removeprefix("-").split("/")[-1], by_technique, 1, 0.5)
            hint = f" (did you mean {by_technique[close[0]]!r}?)" if close else ""
            raise ConfigError(f"no attack {name!r}{hint}: see keepmum list attacks")
    given = [w for w in wanted if isinstance(w, Attack)] + [variants[n] for n in names if n in variants]
    plus = [n for n in names if n[:1] != "-" and n not in variants] or ([] if given else ["*"])
    minus = [n[1:] for n in names if n[:1] == "-"]
    kept = [a for a in catalog if any(fnmatchcase(a.name, p) for p in plus)]
    chosen = [a for a in kept if not any(fnmatchcase(a.name, p) for p in minus)] + given
    if not chosen:
        raise ConfigError("the patterns leave no attack: see keepmum list attacks")
    return chosen
