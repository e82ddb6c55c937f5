"""Run attacks against a target and report what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from keepmum._asked import Settings, asked
from keepmum._fitting import fitted, foreseen
from keepmum._plan import Plan, draw_up
from keepmum._session import Progress, Session
from keepmum._shadowing import Recipe
from keepmum.attacks import Attack, choose
from keepmum.attacks.attribute import NOT_NAMED, AttributeAttack, hide
from keepmum.attacks.inversion import ImageInversion
from keepmum.data import Records, Split, as_population, as_records
from keepmum.errors import ConfigError
from keepmum.overlap import remove_overlap
from keepmum.report import Report
from keepmum.report._save import save
from keepmum.runs import RunFolder
from keepmum.targets import LabelTarget, RegressionTarget, Target, as_target
from keepmum.targets._base import answers, labels_known
from keepmum.targets._remembered import remembered
from keepmum.targets.averaged import averaged
from keepmum.targets.text import FillTarget, TextTarget

NO_PICTURES = (
    "images: none of the attacks draws pictures of these records: give arrays of shape (n, h, w) or (n, h, w, c), or "
    "flat ones and the shape of one image, and leave attacks like inversion/gradient in"
)


def audit(
    model: Any,
    members: Any,
    nonmembers: Any,
    *,
    population: Any = None,
    attacks: Sequence[str | Attack[Any]] | None = None,
    seed: int = 0,
    effort: str = "standard",
    prior: float = 0.1,
    delta: float = 0.0,
    slices: Sequence[str] = (),
    classes: Sequence[Any] | None = None,
    max_queries: int | None = None,
    repeats: int = 1,
    seconds: float | None = None,
    hidden: str | Sequence[str] = (),
    known: Sequence[str] | None = None,
    tolerance: float = 0.5,
    images: Any = None,
    trainer: Any = None,
    shadows: int | None = None,
    shadow_store: str | Path | None = None,
    out: str | Path | None = None,
    include_restricted: bool = False,
    progress: Progress | None = None,
    source: Mapping[str, Any] | None = None,
) -> Report:
    """Measure what a model gives away about the people that it was trained on.

    Audit only models that you own or may test.

    Args:
      model: A fitted scikit-learn classifier, regressor or pipeline (also XGBoost, LightGBM), a function from records
        to ``(n, K)`` probabilities, a path to a model file, or a `Target`.
      members: ``(X, y)`` that the model was trained on. X may be a numpy array, a pandas or polars frame, a pyarrow
        table, a sparse matrix or a list of texts.
      nonmembers: ``(X, y)`` of people like the members that the model was not trained on.
      population: ``(X, y)`` that the attacker has of their own; where there is none, attacks that need some take
        non-members for it, each half for the other. Labels that the model does not know, or None for y, will do for
        attacks that never look at them, which are those that reconstruct; the others leave such records out.
      attacks: Ids or patterns (``"membership/*"``, ``"-membership/entropy"`` takes out), or attacks; all by default.
      seed: The same seed gives the same report.
      effort: "quick", "standard" or "thorough".
      prior: Declared share of members among the people that an attacker asks about, for the precision.
      delta: Delta of the privacy claim that ``epsilon_lower_bound`` speaks about.
      slices: Columns whose groups are reported apart.
      classes: Labels in the order of the probabilities, for a function.
      max_queries: Most rows that the model may be asked about; people are sampled to fit.
      repeats: How often the model is asked for every answer, where its answers are noisy: the mean is attacked (of
        labels, the most frequent). Every time counts as a query.
      seconds: No further attack is begun after this time, and as many shadow models are trained as fit into it, up to
        those of the effort, where their number is not given.
      hidden: Attributes that an attacker wants to learn: a column each; ``"a+b"`` for columns that are guessed in
        combination or are a one-hot group, ``"name=a+b"`` to call them something.
      known: Columns that this attacker knows, besides the label; all that are not hidden if None.
      tolerance: A guess of a number is right if it is off by at most this many standard deviations.
      images: How pictures are searched for where the records are images: `keepmum.settings.ImageSettings`, or a mapping
        of some of ``persons`` (a class is a person), ``shape`` (of one image, where records are flat), ``pixels``
        (darkest and brightest value), ``prior`` ("pca", "vae", "pixels"), ``components``, ``classes`` and ``queries``
        for each. Goes before what attacks that are given say themselves.
      trainer: How the model was trained, for shadow models: an estimator or a `keepmum.training.Trainer`; the
        model itself if it is an estimator.
      shadows: Shadow models to train, an even number; by effort if None: none, 8 or 64. They are trained
        one fleet after another, or where `keepmum.training.engine` or ``joblib.parallel_config`` says.
      shadow_store: Folder where what shadow models say is kept; in the run folder unless given.
      out: Run folder. What is finished is kept there, and the same call goes on where it stopped.
      include_restricted: Show reconstructed pictures, and the real people they are like, in ``report.html`` too; else
        they stand only in the closed folder ``restricted/``. Needs ``out``.
      progress: Called with units done, units in all, and what is done next.
      source: Where things came from (files, command), for the report.

    Returns:
      A finding for each attack asked for, the audit's tests of itself, and what was not looked at.

    Raises:
      DataError: Records or labels cannot be used.
      TargetError: The model cannot be asked, or its answers are no answers.
      ConfigError: A setting cannot be used.
      UnsafeFileError: A model file is refused.
    """
    if include_restricted and out is None:
        raise ConfigError("include_restricted puts pictures into report.html: give a run folder with out")
    settings = asked(
        effort,
        slices,
        seed=seed,
        prior=prior,
        delta=delta,
        max_queries=max_queries,
        seconds=seconds,
        shadows=shadows,
        repeats=repeats,
        hidden=hidden,
        known=known,
        tolerance=tolerance,
        images=_said_of(images),
    )
    split = _split(members, nonmembers, population)
    chosen = _chosen(attacks, settings, split)
    target = as_target(model, split.pool.y, classes, probe=split.pool)
    recipe = Recipe(trainer, *(None if path is None else Path(path) for path in (shadow_store, out)))
    progress = progress or (lambda done, total, what: None)
    progress(0, 0, "getting ready")
    under_way = _prepare(target, split, settings, chosen, dict(source or {}), recipe)
    folder = None if out is None else RunFolder(Path(out), under_way.key)
    if folder is not None:
        folder.open(under_way.manifest())
    report = under_way.run(folder, progress)
    if folder is not None:
        save(report, folder.path, under_way.walls if include_restricted else ())
    return report


def plan(
    model: Any,
    members: Any,
    nonmembers: Any,
    *,
    population: Any = None,
    attacks: Sequence[str | Attack[Any]] | None = None,
    seed: int = 0,
    classes: Sequence[Any] | None = None,
    max_queries: int | None = None,
    repeats: int = 1,
    effort: str = "standard",
    seconds: float | None = None,
    hidden: str | Sequence[str] = (),
    known: Sequence[str] | None = None,
    tolerance: float = 0.5,
    images: Any = None,
    trainer: Any = None,
    shadows: int | None = None,
    shadow_store: str | Path | None = None,
) -> Plan:
    """Tell what `audit` would do with these arguments: attacks, queries, time, and what the sample can resolve.

    The model is asked about a few rows, to learn how long an answer takes; of shadow models, one fleet is trained, and
    kept if there is a ``shadow_store``.
    """
    limits = {"max_queries": max_queries, "seconds": seconds, "shadows": shadows, "repeats": repeats}
    settings = asked(
        effort, (), seed=seed, hidden=hidden, known=known, tolerance=tolerance, images=_said_of(images), **limits
    )
    split = _split(members, nonmembers, population)
    chosen = _chosen(attacks, settings, split)
    target = averaged(as_target(model, split.pool.y, classes, probe=split.pool), repeats)
    clean = _fit_queries(remove_overlap(split)[0], settings)
    recipe = Recipe(trainer, None if shadow_store is None else Path(shadow_store))
    training = foreseen(settings, chosen, recipe.resolve(target, settings), clean.pool, recipe)
    return draw_up(target, clean, chosen, training, max_queries)


def _chosen(wanted: Sequence[str | Attack[Any]] | None, settings: Settings, split: Split) -> list[Attack[Any]]:
    """The attacks that will be played, at the pace of the effort; those on hidden attributes once for each.

    Raises:
      ConfigError: A hidden attribute that is none, or attacks on hidden attributes without one, or the reverse.
    """
    everything = [_told(attack, settings) for attack in choose(wanted) if not _about_texts_unasked(attack, wanted)]
    if not everything:
        raise ConfigError("the patterns leave only attacks on language models: audit one with keepmum.audit_text")
    if wanted is None:
        everything = [attack for attack in everything if attack.fits(split.members, settings.effort)]
    paced = [_told(attack.paced(settings.effort), settings) for attack in everything]
    if settings.images and not any(isinstance(a, ImageInversion) and a.unsuited(split.members) is None for a in paced):
        raise ConfigError(NO_PICTURES)
    for attack in paced:
        attack.refuse(split)
    open_ones = [a for a in paced if isinstance(a, AttributeAttack) and a.hidden is None]
    others = [a for a in paced if a not in open_ones]
    attributes = [hide(name, split, settings.known, settings.tolerance) for name in settings.hidden]
    names = [attribute.name for attribute in attributes]
    if len(set(names)) < len(names):
        raise ConfigError(f"hidden: {max(names, key=names.count)} stands twice: name each attribute once")
    if attributes and not open_ones:
        raise ConfigError("hidden attributes were named, but the patterns leave no attack on them: add attribute/*")
    asked_for = [wanted] if isinstance(wanted, str) else wanted or ()
    if not attributes and (not others or any(isinstance(w, str) and w.startswith("attribute/") for w in asked_for)):
        raise ConfigError(NOT_NAMED)
    return others + [attack.about(attribute) for attribute in attributes for attack in open_ones]


def _about_texts_unasked(attack: Attack[Any], wanted: Sequence[str | Attack[Any]] | None) -> bool:
    """Attacks on language models are part of an audit of tables only where one is named in full."""
    named = (wanted,) if isinstance(wanted, str) else wanted or ()
    return issubclass(attack.needs, (TextTarget, FillTarget)) and attack not in named and attack.name not in named


def _said_of(images: Any) -> dict[str, Any]:
    """What a caller said about pictures, checked; nothing of what was left out.

    Raises:
      ConfigError: A name or a value that cannot be.
    """
    if images is None:
        return {}
    from pydantic import BaseModel, ValidationError

    from keepmum.settings import ImageSettings, known_key, one_line

    if not isinstance(images, (Mapping, BaseModel)):
        raise ConfigError(f"expected images as ImageSettings or a mapping of such, got {type(images).__name__}")
    given = images.model_dump(exclude_unset=True) if isinstance(images, BaseModel) else dict(images)
    for name in given:
        known_key(str(name), ImageSettings, f"images: {name}")
    try:
        said = ImageSettings.model_validate(given).model_dump(exclude_unset=True)
    except ValidationError as err:
        raise ConfigError(f"images: {one_line(err, {})}") from None
    return {name: value for name, value in said.items() if value not in ((), None)}


def _told(attack: Attack[Any], settings: Settings) -> Attack[Any]:
    """An attack that knows what was said about pictures, if it draws some."""
    return attack.told(settings.images) if settings.images and isinstance(attack, ImageInversion) else attack


def _split(members: Any, nonmembers: Any, population: Any) -> Split:
    others = None if population is None else as_population(population)
    return Split(as_records(members, "members"), as_records(nonmembers, "nonmembers"), others)


def _prepare(
    target: Target,
    split: Split,
    settings: Settings,
    attacks: list[Attack[Any]],
    source: dict[str, Any],
    recipe: Recipe,
) -> Session:
    """Clean the split, fit it to the query limit, and ask once: what is wrong is said before anything is written."""
    for name in settings.slices:
        split.members.column(name)
    clean, overlap = remove_overlap(split)
    sizes = {"given_members": len(split.members), "given_nonmembers": len(split.nonmembers)}
    settings = _within_budget(target, settings)
    clean = _fit_queries(clean, settings)
    known = remembered(averaged(target, settings.repeats))
    before = getattr(known, "inner", known).queries
    trainer = recipe.resolve(known, settings)
    if isinstance(known, LabelTarget):
        known.positions(clean.pool.y)
        if clean.population is not None and all(attack.labels_of_others for attack in attacks):
            known.positions(clean.population.y)
    if isinstance(known, RegressionTarget):
        known.values(split.pool.y)
    answers(known, clean.pool)
    if clean.population is not None:
        answers(known, clean.population)
        known.notes = [*known.notes, *_unknown_labels(known, clean.population)]
    comparable = overlap if len(clean.members.columns) else None
    settings = fitted(settings, attacks, trainer, clean.pool, recipe)
    trainer = recipe.resolve(known, settings)
    return Session(
        known,
        clean,
        settings,
        attacks,
        source,
        comparable,
        sizes,
        trainer,
        recipe.store,
        before=before,
        given=split.members,
    )


def _within_budget(target: Target, settings: Settings) -> Settings:
    """Settings that ask no more rows than a target with a budget answers: attacks tell what they reached with those.

    Raises:
      ConfigError: No row is left.
    """
    left = getattr(target, "rows_left", None)
    if left is None:
        return settings
    if left < 1:
        raise ConfigError(
            "expected a target that still answers, got one whose budget of rows is spent: wait, or widen it"
        )
    return replace(settings, max_queries=left if settings.max_queries is None else min(left, settings.max_queries))


def _unknown_labels(target: Target, population: Records) -> list[str]:
    """What a reader should know where the model does not know the population's labels."""
    strange = int((~labels_known(target, population)).sum())
    if not strange:
        return []
    if strange == len(population):
        return [
            "The model knows none of the population's labels: attacks that look at them take non-members instead, as "
            "where there is no population."
        ]
    return [
        f"The model does not know the labels of {strange:,} of {len(population):,} records of the population: attacks "
        "that look at labels leave these out."
    ]


def _fit_queries(split: Split, settings: Settings) -> Split:
    people = len(split.pool) + (0 if split.population is None else len(split.population))
    total = people * settings.repeats
    if settings.max_queries is None or total <= settings.max_queries:
        return split
    rng = np.random.default_rng([settings.seed, 0x71756572])
    share = settings.max_queries / total

    def some(records: Records) -> Records:
        return records.take(np.sort(rng.permutation(len(records))[: max(1, int(share * len(records)))]))

    return Split(
        some(split.members), some(split.nonmembers), None if split.population is None else some(split.population)
    )
