"""What is said about the images of an audit: shape, range, prior, persons; held against the images, and handed on."""

from __future__ import annotations

import json

import numpy as np
import pytest

import keepmum
import zoo
from keepmum._asked import asked
from keepmum.attacks.inversion import Cmaes, Gradient, Nes
from keepmum.attacks.inversion._layout import as_images, as_rows, fits, seen_in
from keepmum.attacks.inversion._recipe import PriorRecipe
from keepmum.attacks.inversion.priors import PcaPrior, PixelPrior, VaePrior
from keepmum.audit import _chosen, _said_of
from keepmum.choices import PriorName
from keepmum.data import Records, Split
from keepmum.errors import ConfigError, DataError
from keepmum.findings import Outcome
from keepmum.settings import ImageSettings

DATA = zoo.album_split(3)
SHAPE = DATA.members.X.shape[1:]
FLAT = Split(*(Records(side.X.reshape(len(side), -1), side.y) for side in (DATA.members, DATA.nonmembers)))


def play(split: Split = DATA, **more):
    options = {"attacks": ["inversion/nes"], "effort": "quick", "seed": 1, **more}
    return keepmum.audit(zoo.Album(split.members), split.members, split.nonmembers, **options)


def told(split: Split = DATA, effort: str = "quick", attacks=("inversion/*",), **images):
    return _chosen(attacks, asked(effort, (), images=_said_of(images)), split)


def test_every_search_is_told_the_same():
    said = {"persons": True, "pixels": (0, 1), "prior": "vae", "components": 7, "classes": 3, "queries": 60}
    searches = [attack for attack in told(**said) if hasattr(attack, "recipe")]
    assert len(searches) > 8
    for attack in searches:
        assert (attack.persons, attack.pixels, attack.classes, attack.queries) == (True, (0.0, 1.0), 3, 60)
        assert attack.recipe == PriorRecipe("vae", 7)


def test_a_number_of_queries_that_is_said_is_not_paced():
    default = Nes().queries
    assert {a.queries for a in told(attacks=["inversion/nes"], effort="thorough", queries=default)} == {default}
    assert {a.queries for a in told(attacks=["inversion/nes"], effort="quick", persons=True)} == {default // 4}


def test_what_is_said_goes_before_what_an_attack_says_itself_and_the_rest_stays():
    (attack,) = told(attacks=[Cmaes(queries=77, classes=4, persons=True)], classes=2)
    assert (attack.queries, attack.classes, attack.persons) == (77, 2, True)
    given = PcaPrior.fit(DATA.nonmembers.X)
    assert told(attacks=[Cmaes(prior=given)], classes=2)[0].prior is given
    assert told(attacks=[Cmaes(prior=given)], prior="pca")[0].prior is None


def test_settings_of_python_are_those_of_the_command_line():
    assert _said_of(ImageSettings(shape=(4, 3))) == _said_of({"shape": "4,3"}) == {"shape": (4, 3)}
    assert _said_of(None) == _said_of({}) == _said_of(ImageSettings()) == {}
    assert play(images={"persons": True}).settings["images"] == {"persons": True}
    assert "images" not in play().settings


def test_flat_records_are_images_once_their_shape_is_said():
    flat = play(FLAT, images={"shape": SHAPE})["inversion/nes"]
    assert flat.metrics == play()["inversion/nes"].metrics
    assert "Pictures drawn" in flat.explanation


def test_audits_of_flat_images_play_the_searches_by_themselves():
    def searches(**images):
        return {a.id for a in told(FLAT, attacks=None, **images) if hasattr(a, "recipe")}

    assert searches(shape=SHAPE)
    assert not {a.id for a in _chosen(None, asked("quick", ()), FLAT) if hasattr(a, "recipe")}


def test_the_declared_range_is_that_of_the_prior():
    images = DATA.nonmembers.X
    wide = PriorRecipe().fit(images, (-2.0, 3.0), 0)
    assert (wide.low, wide.high) == (-2.0, 3.0)
    seen = PriorRecipe().fit(images, None, 0)
    assert (seen.low, seen.high) == (images.min(), images.max())
    pixels = PriorRecipe(PriorName.PIXELS).fit(images, None, 0)
    assert isinstance(pixels, PixelPrior)
    assert (pixels.low, pixels.high) == (images.min(), images.max())
    assert PriorRecipe(components=5).fit(images, None, 0).size == 5
    middle = np.zeros((1, seen.size))
    np.testing.assert_array_equal(seen.decode(middle), PcaPrior.fit(images).decode(middle))


def test_an_auto_encoder_of_so_many_numbers():
    pytest.importorskip("torch")
    found = PriorRecipe("vae", 3).fit(DATA.nonmembers.X[:40], (0.0, 1.0), 0)
    assert isinstance(found, VaePrior)
    assert (found.size, found.low, found.high) == (3, 0.0, 1.0)


def test_attacks_of_one_audit_share_the_prior(monkeypatch):
    fitted = []
    real = PriorRecipe.fit

    def fit(self, *args):
        fitted.append(self)
        return real(self, *args)

    monkeypatch.setattr(PriorRecipe, "fit", fit)
    play(attacks=["inversion/nes", "inversion/spsa"])
    assert len(fitted) == 1
    play(attacks=["inversion/nes", Cmaes(recipe=PriorRecipe(components=9))])
    assert len(fitted) == 3


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({"pixels": (0, 0.1)}, r"members: expected pixels from 0 to 0\.1, as declared, got"),
        ({"pixels": (1, 0)}, "images: pixels: expected the darkest and a brighter value"),
        ({"pixels": (0, 1, 2)}, "images: pixels: expected the darkest and a brighter value"),
        ({"shape": (2, 2)}, r"expected records that are images of shape \(2, 2\), got rows of shape"),
        ({"shape": (4,)}, "images: shape: expected height,width or height,width,channels, got 1 numbers"),
        ({"prior": "gan"}, "images: prior: expected 'pca', 'vae' or 'pixels', got 'gan'"),
        ({"prior": "pixels", "components": 3}, "pixels have none"),
        ({"queries": 3}, "images: queries: expected greater than or equal to 10, got 3"),
        ({"person": True}, "images: person is unknown; did you mean persons"),
        (["persons"], "expected images as ImageSettings or a mapping of such, got list"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_is_written(images, message, tmp_path):
    with pytest.raises((ConfigError, DataError), match=message) as caught:
        play(images=images, out=tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_images_of_every_side_are_held_to_shape_and_range():
    public = DATA.nonmembers.X[:30] * 0.9
    with pytest.raises(DataError, match=r"population: expected images of shape .*, as the members are, got \(3, 3\)"):
        play(population=(public[:, :3, :3], None))
    with pytest.raises(DataError, match=r"population: expected pixels from 0 to 1, as declared, got .* to 2"):
        play(population=(255 * public, None), images={"pixels": (0, 1)})
    dark = Split(DATA.members, Records(DATA.nonmembers.X - 5, DATA.nonmembers.y))
    with pytest.raises(DataError, match=r"nonmembers: expected pixels from 0 to 1, as declared"):
        play(dark, images={"pixels": (0, 1)})
    with pytest.raises(DataError, match="members: expected pixels from 2 to 3"):
        play(attacks=[Nes(pixels=(2, 3))])


def test_images_of_what_is_none():
    people = zoo.split(100, 0)
    with pytest.raises(ConfigError, match="none of the attacks draws pictures of these records"):
        keepmum.audit(zoo.Lookup(people.members), people.members, people.nonmembers, images={"persons": True})
    with pytest.raises(ConfigError, match="none of the attacks draws pictures"):
        play(attacks=["membership/loss"], images={"persons": True})


@pytest.mark.parametrize("pixels", [(1, 1), (2, 1), "dark", (1,), (0, np.inf), (np.nan, 1)])
def test_a_range_that_is_none(pixels):
    with pytest.raises(ConfigError, match="expected pixels"):
        Gradient(pixels=pixels)


def test_public_images_of_strangers_are_searched_as_well_as_labeled_ones():
    public = zoo.album(12, 6, 99)
    play_with = [play(population=(public.X, y))["inversion/nes"] for y in (public.y, public.y + 100, None)]
    assert play_with[0].metrics == play_with[1].metrics == play_with[2].metrics
    assert json.dumps(play_with[0].verdict) == json.dumps(play_with[2].verdict)


def test_an_image_asked_about_twice_is_paid_for_once_unless_said():
    frugal, plain = (play(attacks=[Nes(remember=remember)])["inversion/nes"] for remember in (True, False))
    assert frugal.queries <= plain.queries


@pytest.mark.parametrize(
    ("row", "shape"),
    [
        ((8, 6), (8, 6)),
        ((1, 8, 6), (8, 6)),
        ((3, 8, 6), (8, 6, 3)),
        ((8, 6, 3), (8, 6, 3)),
        ((8, 6, 1), (8, 6, 1)),
        ((3, 3, 3), (3, 3, 3)),
        ((4, 8, 6), (4, 8, 6)),
    ],
)
def test_channels_go_to_the_back_and_return(row, shape):
    assert seen_in(row) == shape
    assert fits(row, shape)
    rows = np.random.default_rng(0).random((5, *row))
    images = as_images(rows, shape)
    assert images.shape == (5, *shape)
    np.testing.assert_array_equal(as_rows(images, row), rows)
    if row == (3, 8, 6):
        np.testing.assert_array_equal(images[2, :, :, 1], rows[2, 1])


def test_what_is_no_layout_of_a_shape():
    assert fits((144,), (8, 6, 3))
    assert not fits((8, 18), (8, 6, 3))
    assert not fits((6, 8, 3), (8, 6, 3))


def test_a_model_that_takes_channels_first_is_inverted_as_one_that_takes_them_last():
    torch = pytest.importorskip("torch")
    from keepmum.targets import TorchTarget

    class Last(torch.nn.Module):
        def __init__(self, first):
            super().__init__()
            self.first = first

        def forward(self, x):
            return self.first(x.movedim(-1, 1))

    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(48, 3))
    X, y = rng.random((60, 3, 8, 6)).astype(np.float32), np.arange(60) % 3
    found = []
    for module, images in ((model, X), (Last(model), np.moveaxis(X, 1, -1).copy())):
        split = Split(Records(images[:30], y[:30]), Records(images[30:], y[30:]))
        report = keepmum.audit(
            TorchTarget(module, range(3)),
            split.members,
            split.nonmembers,
            attacks=[Gradient(queries=40)],
            effort="quick",
        )
        found.append(report["inversion/gradient"])
    assert found[0].outcome is not Outcome.ERROR, found[0].reason
    for name, value in found[0].metrics.items():
        assert value.value == pytest.approx(found[1].metrics[name].value, rel=1e-3, abs=1e-3)
