"""Presidio's recognizers in the place of keepmum's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keepmum.detectors._find import KINDS, Found
from keepmum.detectors._own import Finder
from keepmum.errors import MissingExtraError

_ENTITIES = {
    "CREDIT_CARD": "card",
    "CRYPTO": "key",
    "EMAIL_ADDRESS": "e-mail",
    "IBAN_CODE": "iban",
    "PERSON": "name",
    "PHONE_NUMBER": "phone",
    "US_SSN": "ssn",
}


def presidio(analyzer: Any = None, language: str = "en", least: float = 0.4) -> Finder:
    """A finder that asks Presidio.

    Args:
      analyzer: A ``presidio_analyzer.AnalyzerEngine`` that is set up, with a language model that is at hand: nothing is
        downloaded. None makes one with Presidio's defaults.
      language: Language of the texts.
      least: Results that Presidio is less sure of are passed over.

    Raises:
      MissingExtraError: Presidio is not installed.
    """
    engine = _engine() if analyzer is None else analyzer

    def ask(text: str, kinds: Sequence[str] = KINDS) -> list[Found]:
        wanted = [entity for entity, kind in _ENTITIES.items() if kind in kinds]
        results = engine.analyze(text=text, language=language, entities=wanted)
        taken: list[Found] = []
        for r in sorted(results, key=lambda result: -result.score):
            free = all(r.end <= other.start or other.end <= r.start for other in taken)
            if r.score >= least and r.entity_type in _ENTITIES and free:
                taken.append(Found(_ENTITIES[r.entity_type], r.start, r.end, text[r.start : r.end], r.score == 1))
        return sorted(taken, key=lambda found: found.start)

    return ask


def _engine() -> Any:
    try:
        from presidio_analyzer import AnalyzerEngine
    except ImportError as err:
        raise MissingExtraError("presidio-analyzer", "presidio") from err
    return AnalyzerEngine()
