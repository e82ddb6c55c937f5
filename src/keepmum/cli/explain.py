"""``keepmum explain``: what a word in a report means."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any

from cyclopts import Parameter

from keepmum.cli._app import Exit
from keepmum.cli._terminal import DEFAULTS, Options
from keepmum.errors import ConfigError

OUTCOMES: Mapping[str, str] = MappingProxyType(
    {
        "leak": "Members are told from others, or what is hidden of them is guessed, better than chance allows, after "
        "paying for all attacks of the audit (Holm, 5 %). How strong the leak is, the metrics say.",
        "no_leak_found": "The attack did no better on members than chance allows. A leak smaller than "
        "the stated power, or one that another attack would find, may be there: absence of evidence is all that a test "
        "shows.",
        "inconclusive": "The numbers cannot be believed or cannot decide: too few people, or a split that can be told "
        "apart without the model, or an instrument that failed its own test. The reason stands beside it.",
        "not_applicable": "The attack needs something that this model or these records do not offer.",
        "skipped": "The attack was asked for and not played, because the budget of time or queries was spent.",
        "error": "The attack failed; the others are not touched by that. The reason stands beside it.",
    }
)


def explain(
    word: Annotated[
        str,
        Parameter(
            name="ID",
            help="Attack (membership/loss), defense (training/selena), outcome (leak), verdict (record-level), metric "
            "(auc) or policy (tre).",
        ),
    ],
    /,
    *,
    common: Options = DEFAULTS,
) -> int:
    """Explain an attack, a defense, an outcome, a verdict, a metric or a policy."""
    entry = _entry(word)
    terminal = common.terminal
    for name, value in entry.items():
        text = "; ".join(value) if isinstance(value, (list, tuple)) else str(value)
        terminal.show(text if name in ("id", "text") else f"{name}: {text}")
        if name in ("id", "text"):
            terminal.show("")
    if common.json:
        terminal.data(json.dumps(entry))
    return Exit.DONE


def _entry(word: str) -> dict[str, Any]:
    """What is known of a word.

    Raises:
      ConfigError: Nothing, or two things.
    """
    from keepmum.attacks import attack_classes
    from keepmum.defenses import defense_classes
    from keepmum.policy import METRICS, POLICIES
    from keepmum.report._words import VERDICTS
    from keepmum.settings import did_you_mean

    classes = attack_classes()
    attacks = _called(word, classes)
    if len(attacks) > 1:
        raise ConfigError(f"{word} may be {' or '.join(cls.id for cls in attacks)}: give the whole id")
    if attacks:
        return _attack(attacks[0])
    defenses: list[Any] = [*defense_classes()]
    protecting = [cls for cls in defenses if word.partition(":")[0] in (cls.id, _short(cls))]
    if protecting:
        return _told(protecting[0])
    if word in OUTCOMES:
        return {"id": word, "kind": "outcome of a finding", "text": OUTCOMES[word]}
    if word in VERDICTS:
        return {"id": word, "kind": "verdict of a finding", "text": VERDICTS[word]}
    if word in METRICS:
        return {"id": word, "kind": "metric", "text": METRICS[word]}
    if word in POLICIES:
        return {"id": word, "kind": "policy", "text": POLICIES[word].describe()}
    names = [name for cls in (*classes, *defenses) for name in (cls.id, _short(cls))]
    near = did_you_mean(word, [*names, *OUTCOMES, *VERDICTS, *METRICS, *POLICIES])
    raise ConfigError(
        f"nothing is called {word!r}{f'; did you mean {near}?' if near else ': see keepmum list attacks'}"
    )


def _called(word: str, classes: Sequence[Any]) -> list[Any]:
    """The attacks that a word may mean: an id, what stands after its slash, or the id of a finding."""
    made = [cls for cls in classes if word in [attack.name for attack in cls.variants()]]
    plain = word.partition(":")[0] if word.startswith("attribute/") else word.removesuffix(":per-class")
    return made or [cls for cls in classes if plain in (cls.id, _short(cls))]


def _short(cls: Any) -> str:
    return str(cls.id).split("/", 1)[1]


def _told(cls: Any) -> dict[str, Any]:
    """What the docstring of an attack or a defense tells: its story and its sources."""
    story, _, tail = inspect.cleandoc(cls.__doc__ or "").partition("\nReferences:\n")
    sources = " ".join(tail.split()).removesuffix(".")  # a source may run over lines; a semicolon ends it
    told = [source for source in sources.split("; ") if source] or list(cls.references)
    return {"id": cls.id, "text": story.strip(), "references": told}


def _attack(cls: Any) -> dict[str, Any]:
    told = _told(cls)
    entry = {"id": told["id"], "text": told["text"], "access": cls().access, "references": told["references"]}
    if hasattr(cls, "per_class"):
        entry["variant"] = f"{cls.id}:per-class compares each record with others of its own class"
    if cls.variants():
        entry["by name"] = [attack.name for attack in cls.variants()]
    return entry
