"""What the benchmark on language models computes; that its parts run at all is seen in small."""

from __future__ import annotations

import importlib
import sys
from argparse import Namespace
from pathlib import Path

import pytest

import text_zoo
from keepmum.attacks import Context
from keepmum.attacks.extraction import Exposure, Greedy, NPDiscoverable, Sampled
from keepmum.findings import EXTRACTABLE, Finding, Line, Outcome, Slice, Trend
from keepmum.stats import Estimate
from keepmum.texts import Secrets

FOLDER = Path(__file__).parents[2] / "benchmarks"
PARTS = ("models", "canaries", "averaging", "private", "endpoint", "mask", "demo")
NAMES = ("common", "write", "_page", "text", "_text_membership", *(f"_text_{part}" for part in PARTS))


@pytest.fixture(scope="module")
def scripts():
    """The scripts as modules, which import each other by bare names."""
    pytest.importorskip("transformers")
    sys.path.insert(0, str(FOLDER))
    modules = {name: importlib.import_module(name) for name in NAMES}
    modules |= {part: modules[f"_text_{part}"] for part in PARTS}
    yield Namespace(**modules)
    sys.path.remove(str(FOLDER))
    for name in NAMES:
        del sys.modules[name]


def exact(value: float) -> Estimate:
    return Estimate(value, value, value)


def ladder() -> Secrets:
    """PINs read once, 16 and 64 times, and twins."""
    planted = tuple(secret for times in (1, 16, 64) for secret in text_zoo.pins(4, 0, times))
    digits = "0123456789"
    return Secrets(planted, tuple(text_zoo.pins(12, 0, 0)), {"pin": 1e4}, {"pin": (" ", *4 * (digits,))}, paired=True)


def test_every_part_has_a_module_and_a_measure(scripts):
    for part in scripts.text.BENCHMARK.parts:
        assert callable(getattr(scripts, f"_text_{part}").measure)


def test_pairs_stay_pairs(scripts):
    secrets = ladder()
    chosen = scripts.canaries.only(secrets, "pin", (16,))
    assert [s.repeats for s in chosen.planted] == [16] * 4
    assert chosen.twins == secrets.twins[4:8]
    assert len(scripts.canaries.only(secrets, "pin", most=5).planted) == 5


@pytest.fixture(scope="module")
def played(scripts):
    """What the attacks find of a model that knows all, and of one that knows none."""
    secrets, made = ladder(), []
    for model in (text_zoo.memorizer(secrets), text_zoo.ignorant()):
        world = scripts.models.World(model, secrets, "")
        attacks = (Exposure(others=15), Greedy(), NPDiscoverable(), Sampled(samples=2))
        found, seconds = scripts.canaries.played(world, attacks)
        made.append((world, {**found, "np 1000": found["np"]}, seconds))
    return made


def test_a_model_that_knows_its_canaries_reaches_the_bars_and_another_misses_them(scripts, played):
    (knows, found, _), (blind, nothing, _) = played
    some, none = ({"(100, 0.5)": share, "sampling": share} for share in (0.1, 0.0))
    good, bad = scripts.canaries.bars(found, knows, 1.0, some), scripts.canaries.bars(nothing, blind, 31.0, none)
    for name in ("pins_read_64_times_of_rank_1", "single_insertion_auc", "exact_exposure_of_30_pins_cpu_s"):
        assert good[f"canaries_{name}"]["ok"], name
    for name in (
        "pins_read_64_times_of_rank_1",
        "16_times_missed_by_greedy_found_by_np",
        "exact_exposure_of_30_pins_cpu_s",
    ):
        assert not bad[f"canaries_{name}"]["ok"], name
    assert not good["canaries_single_insertion_pairs"]["ok"], "four pairs are no pooled figure"
    assert good.keys() == bad.keys()


def test_rows_go_up_and_end_with_the_twins(scripts, played):
    rows = scripts.canaries.rows(played[0][1])
    assert [row[0] for row in rows] == ["1 ×", "16 ×", "64 ×", "never"]
    assert all(len(row) == 7 for row in rows)


def test_what_greedy_misses(scripts, played):
    (knows, *_), (blind, *_) = played
    attacks = (Greedy(), NPDiscoverable(), Sampled(samples=2))
    for world in (knows, blind):
        assert scripts.canaries.missed_by_greedy(world, attacks) == {"(100, 0.5)": 0.0, "sampling": 0.0}


def test_private_training_has_to_learn_and_to_keep_secrets(scripts, played):
    knows, blind = (found["exposure"] for _, found, _ in played)
    private = scripts.private

    def seen(alike: float, exposure: Finding, out: float):
        return private.Seen("one", exposure, out, 5.0, alike, 1.0)

    before, plain = seen(7.0, blind, 0.0), seen(3.0, knows, 1.0)
    good = private.bars([before, plain, seen(6.0, blind, 0.0)], 7.9)
    assert [name for name, bar in good.items() if not bar["ok"]] == []
    bad = private.bars([before, seen(3.0, blind, 0.0), seen(6.9, knows, 0.1)], 8.1)
    few = "private_least_auc_of_what_stands_once"
    assert [name for name, bar in bad.items() if bar["ok"]] == [few], "four pairs tell nothing"
    assert all(len(row) == 4 + 3 + 2 for row in private.rows([before, plain]))


def averaged(scripts, first: float, last: float) -> Finding:
    x, lines = (1.0, 10.0, 1000.0), []
    for name, y in (("repeats 16", (first, 5.0, last)), ("twins", (1.4, 1.4, 1.4))):
        lines.append(Line(name, 4, y, y, y))
    parts = (Slice("repeats", "16", 4, 4, {}),)
    return Finding("a", "b", Outcome.LEAK, slices=parts, trends=(Trend("exposure", "queries", x, tuple(lines)),))


@pytest.mark.parametrize(("first", "last", "ok"), [(4.9, 9.1, [True, True]), (5.1, 8.9, [False, False])])
def test_noise_has_to_cut_and_averaging_to_give_back(scripts, first, last, ok):
    bars = scripts.averaging.bars(averaged(scripts, 10, 10), averaged(scripts, first, last))
    assert [bar["ok"] for bar in bars.values()] == ok


def test_averaging_on_a_model_that_knows(scripts):
    pins = scripts.canaries.only(ladder(), "pin", (16, 64))
    found = scripts.averaging.played(text_zoo.memorizer(ladder()), pins, 20)
    assert scripts.averaging.levels(found) == [16, 64]
    assert [row[0] for row in scripts.averaging.rows("plain", found)] == ["plain"]


def test_an_endpoint_is_audited_and_moved_scores_are_caught(scripts):
    bars, tables = scripts.endpoint.measure(quick=True)
    assert all(bar["ok"] for bar in bars.values()), bars
    assert len(tables[0]["rows"]) == 4


def masked(bits: tuple[float, ...], association: float) -> Finding:
    parts = tuple(
        Slice("repeats", str(4**i), 4, 4, {"bits": exact(b), "auc": exact(b / 4), "first": exact(b / 4)})
        for i, b in enumerate(bits)
    )
    told = {"association": exact(association)}
    return Finding(
        "a", "b", Outcome.LEAK, metrics=told, control={"association": exact(0.0)}, slices=parts, verdict=EXTRACTABLE
    )


def test_bits_that_do_not_rise_miss_their_bar(scripts):
    name = scripts.mask.PSEUDO
    good, bad = (scripts.mask.bars({name: masked(*each)}) for each in (((0, 1, 3, 4), 1.0), ((2, 2, 2, 2), -1.0)))
    assert all(bar["ok"] for bar in good.values())
    assert [key for key, bar in bad.items() if not bar["ok"]] == [
        "mask_rise_of_bits_with_each_doubling",
        "mask_64_times_auc",
        "mask_association_of_the_planted",
    ]


def test_a_demo_that_takes_too_long_misses_its_bar(scripts):
    def told(out: float) -> dict:
        share = {"extracted": {"value": out}}
        return {"findings": [{"id": "extraction/sampled", "metrics": share, "control": share}]}

    reports = {"leaky": told(0.5), "deduplicated": told(0.25), "early": told(0.5)}
    bars = scripts.demo.bars(reports, 200.0, 300.0)
    assert [name for name, bar in bars.items() if not bar["ok"]] == ["demo_wall_s", "demo_share_out_leaky_above_early"]


def test_a_model_is_trained_once_for_a_job(scripts, monkeypatch, tmp_path):
    made = []

    def trained(job, place):
        made.append(job.name)
        (place / job.name).mkdir(parents=True)
        (place / job.name / scripts.models.FACTS).write_text(f'{{"key": "{job.key}", "loss": null, "seconds": 1}}')

    monkeypatch.setattr(scripts.models, "FOLDER", tmp_path)
    monkeypatch.setattr(scripts.models, "trained", trained)
    jobs = [scripts.models.Job("causal", (text,)) for text in ("a", "b", "a")]
    assert len({scripts.models.kept(job).path for job in jobs}) == 2
    assert made == ["causal", "causal"]


def test_a_missed_bar_stays_on_the_page(scripts):
    result = {"bars": {"strong": {"value": 0.4, "goal": 0.5, "ok": False}}, "tables": []}
    text = scripts.text.BENCHMARK.page({"mask": result}, {"cores": 2})
    assert "missed: `strong`" in text


@pytest.mark.slow
def test_context_of_the_benchmark_is_that_of_an_audit(scripts):
    """A finding of the benchmark is the one that an attack makes with the same context."""
    secrets = ladder()
    world = scripts.models.World(text_zoo.memorizer(secrets), secrets, "")
    found, _ = scripts.canaries.played(world, (Greedy(),))
    again = Greedy().run(world.target, secrets.split, Context(secrets=secrets).lend("extraction/greedy"))
    assert found["greedy"].metrics == again.metrics
