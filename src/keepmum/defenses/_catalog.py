"""Every defense, found by discovery, and how it is chosen by its id."""

from __future__ import annotations

import ast
import difflib
import hashlib
from dataclasses import fields, replace
from typing import Any

from keepmum.defenses import output, training
from keepmum.defenses._base import Defense, OutputDefense
from keepmum.errors import ConfigError

_FAMILIES = (output, training)
KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "int": ("a whole number", (int,)),
    "float": ("a number", (int, float)),
    "bool": ("True or False", (bool,)),
    "bytes": ("bytes such as b'…'", (bytes,)),
}
"""What a setting is told as, by the type of its field."""
ASIDE = ("Records", "Callable")
"""Types that no text can give."""


def defense_classes() -> list[type[Defense]]:
    """Every concrete defense class, sorted by id."""
    found = [getattr(family, name) for family in _FAMILIES for name in family.__all__]
    found = [value for value in found if isinstance(value, type) and issubclass(value, Defense)]
    return sorted((c for c in found if not getattr(c, "__abstractmethods__", None)), key=lambda c: str(c.id))


def parse(text: str) -> tuple[Defense, ...]:
    """Defenses of a text such as ``"training/l2:strength=0.01 + output/rounding:decimals=1"``; ``"none"`` is none.

    Raises:
      ConfigError: An unknown defense or setting, or a value that cannot be.
    """
    parts = [part.strip() for part in text.split("+")]
    return () if parts == ["none"] else tuple(_one(part) for part in parts)


def settled(defense: Defense, seed: int) -> Defense:
    """The same with a secret drawn from a seed, if it needs one and was not given any.

    For audits alone: the same call finds again what it stored, and nobody is served.
    """
    if getattr(defense, "secret", None) != b"":
        return defense
    changes: dict[str, Any] = {"secret": hashlib.sha256(f"{defense.id} {seed}".encode()).digest()}
    return replace(defense, **changes)


def behind(text: str, seed: int = 0) -> tuple[OutputDefense, ...]:
    """Output defenses of a text, as `parse` reads it, for an audit.

    Raises:
      ConfigError: As for `parse`, or a defense of training, which a finished model cannot be put behind.
    """
    found = [settled(each, seed) for each in parse(text)]
    other = next((each.id for each in found if not isinstance(each, OutputDefense)), None)
    if other is not None:
        raise ConfigError(f"expected output defenses, got {other}: training is over; see keepmum harden")
    return tuple(each for each in found if isinstance(each, OutputDefense))


def _one(text: str) -> Defense:
    name, _, given = text.partition(":")
    by_id = {str(cls.id): cls for cls in defense_classes()}
    if name not in by_id:
        techniques = {each.split("/", 1)[1]: each for each in by_id}
        close = difflib.get_close_matches(name.split("/")[-1], techniques, 1, 0.5)
        hint = f" (did you mean {techniques[close[0]]!r}?)" if close else ""
        raise ConfigError(f"no defense {name!r}{hint}: see keepmum list defenses")
    cls = by_id[name]
    known = {f.name: str(f.type) for f in fields(cls) if f.init}
    settings: dict[str, Any] = {}
    for setting in filter(None, (each.strip() for each in given.split(","))):
        what, equals, value = (each.strip() for each in setting.partition("="))
        if not equals or what not in known:
            offered = f"settings as name=value, of {', '.join(known)}" if known else "no settings"
            raise ConfigError(f"{name}: expected {offered}, got {setting!r}")
        if what in settings:
            raise ConfigError(f"{name}: expected each setting once, got {what} twice")
        settings[what] = _fit(name, what, known[what], value)
    try:
        return cls(**settings)
    except (ConfigError, TypeError) as err:
        raise ConfigError(f"{name}: {err}") from None


def _fit(name: str, what: str, kind: str, text: str) -> Any:
    """The value of a setting, of the kind that its field says.

    Raises:
      ConfigError: It is of another kind, or of one that no text can give.
    """
    value, plain = _value(text), kind.removesuffix(" | None")
    if value is None and plain != kind:
        return None
    if plain.startswith(ASIDE):
        raise ConfigError(f"{name}: {what} can be given in Python alone, got {text!r}")
    if plain == "str":
        return value if isinstance(value, str) else text
    told, kinds = KINDS.get(plain, ("", (object,)))
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds and told):
        raise ConfigError(f"{name}: expected {told} for {what}, got {text!r}")
    return value


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
