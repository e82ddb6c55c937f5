"""A recipe and its records, for verbs that train models anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from keepmum.errors import ConfigError, KeepmumError

if TYPE_CHECKING:
    from keepmum.data import Records
    from keepmum.settings import Settings


def recipe_and_records(settings: Settings, named: str | None) -> tuple[Any, Records, Records, Records | None]:
    """The recipe, members, non-members and the population if there is one.

    Args:
      settings: All settings.
      named: A function that returns the recipe, as ``package.module:function``; None where the model is its own recipe.

    Raises:
      ConfigError: A model and a recipe, or neither; or the recipe cannot be had.
      UsageError: A file is missing, or cannot be used.
    """
    from keepmum.cli._inputs import read_case, read_sides
    from keepmum.data import as_records

    check_one(settings, named)
    if named is not None:
        return function_named(named), *read_sides(settings)
    case = read_case(settings, None)
    members, nonmembers = as_records(case.members, "members"), as_records(case.nonmembers, "nonmembers")
    return own_recipe(case.model), members, nonmembers, case.population


def check_one(settings: Settings, named: str | None) -> None:
    """Refuse a model beside a recipe.

    Raises:
      ConfigError: Both are there.
    """
    if named is not None and settings.target.model is not None:
        raise ConfigError("expected a MODEL or --recipe, got both: leave one out")


def own_recipe(model: Any) -> Any:
    """The estimator that a model is, from which another one is trained.

    Raises:
      ConfigError: How it was trained is not known.
    """
    recipe = getattr(model, "internals", model)
    if not hasattr(recipe, "fit"):
        raise ConfigError(
            "expected an estimator file, which is its own recipe, got a model whose training is not known: name a "
            "recipe with --recipe package.module:function"
        )
    return recipe


def function_named(name: str) -> Any:
    """What a function of that name returns; it is looked for in the working folder, too.

    Raises:
      ConfigError: There is none, or it or its module fails.
    """
    import importlib
    import sys

    module, _, function = name.partition(":")
    if not module or not function:
        raise ConfigError(f"--recipe: expected package.module:function, got {name!r}")
    sys.path.insert(0, str(Path.cwd()))
    try:
        try:
            found = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError) as err:
            raise ConfigError(f"--recipe: {name} cannot be had ({err}): give package.module:function") from err
        except Exception as err:  # whatever is wrong in the user's module is told as theirs
            raise ConfigError(f"--recipe: {module} cannot be imported ({type(err).__name__}: {err})") from err
        return _called(name, found)
    finally:
        sys.path.remove(str(Path.cwd()))


def _called(name: str, function: Any) -> Any:
    try:
        return function()
    except KeepmumError:
        raise
    except Exception as err:
        raise ConfigError(
            f"--recipe: expected a function without parameters that returns a trainer, got {type(err).__name__} from "
            f"{name} ({err})"
        ) from err
