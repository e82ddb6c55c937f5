"""Audits of language models, whole: games about documents and about secrets, doubts, worklists, interruption."""

from __future__ import annotations

import json
import re
import stat
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import document_zoo
import text_zoo
from keepmum import audit_text
from keepmum.attacks.extraction import ExtractionAttack, Greedy
from keepmum.attacks.extraction._base import Seen
from keepmum.attacks.membership import TextLoss, TextReference
from keepmum.errors import BudgetError, ConfigError, DataError
from keepmum.findings import EXTRACTABLE, NO_EVIDENCE, Outcome
from keepmum.targets.text import Scored, TextTarget
from keepmum.texts import Secrets

DOCUMENTS = [TextLoss(), TextReference()]


def names(secrets: Secrets) -> Secrets:
    """Secrets whose prefixes tell nothing of who was planted: a name of its own for each, from one range."""
    from dataclasses import replace

    order = np.random.default_rng(3).permutation(len(secrets.planted) + len(secrets.twins))
    both = [
        replace(s, prefix=f"The code of person {100 + place} is")
        for s, place in zip((*secrets.planted, *secrets.twins), order.tolist(), strict=True)
    ]
    cut = len(secrets.planted)
    return Secrets(tuple(both[:cut]), tuple(both[cut:]), secrets.spaces, secrets.alphabets)


@pytest.fixture(scope="module")
def secrets() -> Secrets:
    return names(text_zoo.pin_secrets(20))


@pytest.fixture(scope="module")
def model(secrets):
    return text_zoo.memorizer(secrets)


def sides(seed: int = 0) -> tuple[list[str], list[str]]:
    data = document_zoo.split(seed)
    return list(data.members.X), list(data.nonmembers.X)


def test_a_model_that_recites_is_found_and_the_report_gives_nothing_away(model, secrets, tmp_path):
    out = tmp_path / "run"
    report = audit_text(model, secrets=secrets, attacks=["extraction/greedy", "extraction/exposure"], out=out)
    assert report.outcome is Outcome.LEAK
    assert report["extraction/greedy"].verdict == EXTRACTABLE
    assert "which can be drawn out of it" in report.verdict
    for name in ("report.json", "report.html", "events.jsonl", "manifest.json"):
        told = (out / name).read_text(encoding="utf-8")
        assert not [s for s in secrets.planted if s.text in told]
    work = (out / "restricted" / "worklist-secrets.csv").read_text(encoding="utf-8")
    assert "extraction/greedy" in work
    words = set(re.findall(r"\w+", work))  # hashes may hold any four digits
    assert not [s for s in secrets.planted if s.secret.strip() in words]
    assert not (out / "restricted" / "revealed.jsonl").exists()


def test_what_came_out_is_revealed_to_the_owner_alone(model, secrets, tmp_path):
    out = tmp_path / "run"
    audit_text(model, secrets=secrets, attacks=["extraction/greedy"], out=out, reveal=True)
    path = out / "restricted" / "revealed.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    told = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert {entry["secret"] for entry in told} <= {s.secret for s in secrets.planted}
    assert len(told) >= 10
    with pytest.raises(ConfigError, match="give a run folder"):
        audit_text(model, secrets=secrets, reveal=True)


def test_a_stranger_is_silent(secrets):
    report = audit_text(text_zoo.ignorant(), secrets=secrets, attacks=["extraction/greedy", "extraction/exposure"])
    assert report.outcome is Outcome.NO_LEAK_FOUND
    assert {f.verdict for f in report.findings} == {NO_EVIDENCE}


def test_documents_are_told_apart_by_a_model_that_saw_them():
    members, others = sides()
    report = audit_text(
        document_zoo.train(members), members, others, reference=document_zoo.train(sides(5)[0]), attacks=DOCUMENTS
    )
    assert [f.outcome for f in report.findings] == [Outcome.LEAK, Outcome.LEAK]
    assert report.sample["documents_in"] == document_zoo.N
    assert report.instrument["handshake_greedy"].passed


def test_what_is_asked_for_one_attack_on_documents_is_not_asked_for_the_next():
    members, others = sides()
    target = document_zoo.train(members)
    one = audit_text(target, members, others, attacks=[TextLoss()]).target["queries"]
    two = audit_text(target, members, others, attacks=["membership/text-loss", "membership/min-k"]).target["queries"]
    assert one == two


def test_a_split_in_time_is_the_leak_and_secrets_are_still_believed(model, secrets):
    members, others = sides()
    shifted = [f"In 1815. {text}" for text in members], [f"In 1999. {text}" for text in others]
    report = audit_text(model, *shifted, secrets=secrets, attacks=["membership/text-loss", "extraction/greedy"])
    assert report["membership/text-loss"].outcome is Outcome.INCONCLUSIVE
    assert "the split leaks" in report["membership/text-loss"].reason
    assert report["extraction/greedy"].outcome is Outcome.LEAK
    assert report.instrument["blind_baseline"].passed is False
    assert report.instrument["blind_baseline_of_secrets"].passed


@dataclass(frozen=True)
class Interrupted(ExtractionAttack):
    id: ClassVar[str] = "extraction/interrupted"
    needs: ClassVar[type] = TextTarget
    references: ClassVar[tuple[str, ...]] = ("none",)

    def extract(self, target, secrets, ctx):
        if FLAGS["interrupt"]:
            raise KeyboardInterrupt
        return Seen(np.zeros(len(secrets)), np.zeros(len(secrets), dtype=bool))


FLAGS = {"interrupt": True}


def test_an_interrupted_audit_goes_on_and_tells_the_same(model, secrets, tmp_path):
    def run(out):
        return audit_text(model, secrets=secrets, attacks=[Greedy(), Interrupted()], out=out)

    FLAGS["interrupt"] = False
    whole = run(tmp_path / "whole")
    FLAGS["interrupt"] = True
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut")
    FLAGS["interrupt"] = False
    again = run(tmp_path / "cut")
    assert again.findings == whole.findings
    files = [tmp_path / name / "restricted" / "worklist-secrets.csv" for name in ("whole", "cut")]
    advice = [[line.rsplit(",", 1)[1] for line in file.read_text().splitlines()] for file in files]
    assert advice[0] == advice[1]


def test_a_run_folder_is_not_taken_up_for_another_model_reference_or_population(secrets, model, tmp_path):
    """Trained anew, a model is another one, though the handshake finds as much of it."""
    trained_on_twins = text_zoo.Ngrams([*text_zoo.sentences(60, 0), *(s.text for s in secrets.twins for _ in range(4))])
    audit_text(model, secrets=secrets, attacks=["extraction/greedy"], out=tmp_path / "secrets")
    with pytest.raises(ConfigError, match="holds another audit"):
        audit_text(trained_on_twins, secrets=secrets, attacks=["extraction/greedy"], out=tmp_path / "secrets")

    members, others = sides()
    how = {"reference": text_zoo.Ngrams(others[:20]), "population": text_zoo.sentences(20, 5)}
    known, attacks = text_zoo.Ngrams(members), ["membership/text-reference", "membership/recall"]
    first = audit_text(known, members, others, attacks=attacks, out=tmp_path / "documents", **how)
    again = audit_text(known, members, others, attacks=attacks, out=tmp_path / "documents", **how)
    assert again.findings == first.findings
    for other in ({"reference": text_zoo.Ngrams(others[:21])}, {"population": text_zoo.sentences(20, 6)}):
        with pytest.raises(ConfigError, match="holds another audit"):
            audit_text(known, members, others, attacks=attacks, out=tmp_path / "documents", **{**how, **other})


def test_a_run_folder_is_not_taken_up_for_another_masked_model(secrets, tmp_path):
    attacks = ["extraction/mask-one-shot"]
    audit_text(text_zoo.fills_memorizer(secrets), secrets=secrets, attacks=attacks, out=tmp_path)
    audit_text(text_zoo.fills_memorizer(secrets), secrets=secrets, attacks=attacks, out=tmp_path)
    with pytest.raises(ConfigError, match="holds another audit"):
        audit_text(text_zoo.fills_ignorant(0), secrets=secrets, attacks=attacks, out=tmp_path)


@pytest.mark.parametrize("kind", [KeyError, RuntimeError])
def test_what_others_say_of_an_error_gives_no_text_away(kind, secrets, tmp_path):
    def fussy(prompts):
        if any("code of person" in prompt for prompt in prompts):
            raise kind(f"cannot go on with {prompts[0]!r}")
        return [prompt[::-1] for prompt in prompts]

    class Fussy(text_zoo.Ngrams):
        def _generate(self, prompts, tokens, samples, sampling, seed):
            fussy(prompts)
            return super()._generate(prompts, tokens, samples, sampling, seed)

    for number, target in enumerate((fussy, Fussy(["x"]))):
        out = tmp_path / str(number)
        report = audit_text(target, secrets=secrets, attacks=["extraction/greedy"], out=out)
        assert report["extraction/greedy"].outcome is Outcome.ERROR
        assert "words repeat a text" in report["extraction/greedy"].reason
        assert not [s for s in secrets.planted if s.prefix in (out / "report.json").read_text(encoding="utf-8")]


def test_scores_that_the_handshake_does_not_believe_are_not_used(secrets, model):
    class Shifted(text_zoo.Ngrams):
        def _score(self, texts, prefixes):
            whole = super()._score([p + t for p, t in zip(prefixes, texts, strict=True)], [""] * len(texts))
            moved = [np.roll(each.log_probs, 1)[len(p) :] for each, p in zip(whole, prefixes, strict=True)]
            return [Scored(tuple(t), np.arange(len(t)), m) for t, m in zip(texts, moved, strict=True)]

    shifted = Shifted(["x"])
    shifted.counts, shifted.order = model.counts, model.order
    report = audit_text(shifted, secrets=secrets, attacks=["extraction/greedy", "extraction/exposure"])
    assert report["extraction/exposure"].outcome is Outcome.NOT_APPLICABLE
    assert "handshake" in " ".join(report.target["notes"])
    assert report["extraction/greedy"].outcome is Outcome.LEAK


@pytest.mark.parametrize("most", [300, 1000, 3000])
def test_no_more_is_asked_than_may_be(most, secrets):
    target = text_zoo.memorizer(secrets)
    report = audit_text(target, secrets=secrets, max_queries=most, effort="quick")
    assert target.queries == report.target["queries"] <= most
    skipped = [finding for finding in report.findings if finding.outcome is Outcome.SKIPPED]
    assert skipped
    assert all("of max_queries are left: raise it" in finding.reason for finding in skipped)
    assert (report["extraction/greedy"].outcome is Outcome.LEAK) == (most > 300)
    before = target.queries
    audit_text(target, secrets=secrets, attacks=["extraction/sampled"], effort="quick")
    assert target.queries > before + most // 3, "the next audit has its own limit"


def test_too_little_for_the_handshake_is_one_line(model, secrets):
    with pytest.raises(BudgetError, match="of max_queries are left"):
        audit_text(model, secrets=secrets, max_queries=20)
    assert model.generate(["x"], 1), "others are not limited by that"


def test_bad_input_is_one_line(model, secrets):
    with pytest.raises(DataError, match="give one text a document, in a list"):
        audit_text(model, "members.txt", "others.txt")
    members, others = sides()
    with pytest.raises(ConfigError, match="got neither"):
        audit_text(model)
    with pytest.raises(ConfigError, match="got no nonmembers"):
        audit_text(model, members)
    with pytest.raises(DataError, match="as texts, got int"):
        audit_text(model, [1, 2], others)
    with pytest.raises(ConfigError, match="no attack on language models"):
        audit_text(model, members, others, attacks=["membership/loss"])
    with pytest.raises(ConfigError, match="leave no attack on documents"):
        audit_text(model, members, others, attacks=["extraction/greedy"])


def test_the_base_of_an_adapter_is_the_reference_unless_another_is_named():
    members, others = sides()
    target = document_zoo.train(members)
    attacks = ["membership/text-reference"]
    alone = audit_text(target, members, others, attacks=attacks)["membership/text-reference"]
    assert alone.outcome is Outcome.NOT_APPLICABLE
    target.base = document_zoo.train(sides(5)[0])
    known = audit_text(target, members, others, attacks=attacks)["membership/text-reference"]
    named = audit_text(target, members, others, reference=target.base, attacks=attacks)["membership/text-reference"]
    assert known.outcome is Outcome.LEAK
    assert known.metrics == named.metrics


def test_no_more_is_asked_than_was_allowed(model, secrets, tmp_path):
    asked = ["extraction/greedy", "extraction/sampled"]
    whole = audit_text(model, secrets=secrets, attacks=["extraction/greedy"])
    before = model.queries
    allowed = whole.target["queries"] + 5
    report = audit_text(model, secrets=secrets, attacks=asked, max_queries=allowed, out=tmp_path)
    assert model.queries - before == report.target["queries"] <= allowed
    assert report["extraction/greedy"].outcome is Outcome.LEAK
    assert report["extraction/sampled"].outcome is Outcome.SKIPPED
    assert "5 of max_queries are left" in report["extraction/sampled"].reason
    again = audit_text(model, secrets=secrets, attacks=asked, max_queries=allowed, out=tmp_path)
    assert again["extraction/sampled"].outcome is Outcome.SKIPPED, "what was asked before counts"
    with pytest.raises(BudgetError, match="max_queries"):
        audit_text(model, secrets=secrets, attacks=asked, max_queries=3)
    assert audit_text(model, secrets=secrets, attacks=asked)["extraction/sampled"].outcome is Outcome.LEAK


def test_texts_that_break_off_within_a_character_are_one_line(model):
    members, others = sides()
    with pytest.raises(DataError, match="a lone surrogate"):
        audit_text(model, [members[0], "\ud83d and more", *members[2:]], others)


def test_a_masked_model_is_not_asked_about_documents_and_says_so():
    members, others = sides()
    with pytest.raises(ConfigError, match="no attack on documents fits such a model: masked models are asked about se"):
        audit_text(text_zoo.fills_ignorant(), members, others)


def test_coverage_does_not_tell_to_name_columns_of_documents(model, secrets):
    report = audit_text(model, secrets=secrets, attacks=["extraction/greedy"])
    assert "columns" in report.coverage["attribute"].reason
    assert "documents" in report.coverage["membership"].reason
    assert "--hidden" not in report.to_json() + report.to_html()
