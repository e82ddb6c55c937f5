from __future__ import annotations

from pathlib import Path

import pytest

from keepmum.errors import ConfigError
from keepmum.settings import (
    FLAGS,
    AuditSettings,
    DataSettings,
    ImageSettings,
    PolicySettings,
    Settings,
    TargetSettings,
    find,
    flag,
    load,
    seconds,
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "keepmum.toml").write_text(
        '[target]\nmodel = "m.skops"\n[audit]\nseed = 1\nprior = 0.2\nbudget = "15m"\nattacks = ["membership/*"]\n'
        '[policy]\nextends = "tre"\nmax = { auc = 0.6, "tpr_at_fpr_0.01" = 0.02 }\n'
    )
    return tmp_path


def test_defaults_where_nothing_is_said(tmp_path: Path) -> None:
    assert load(environ={}, folder=tmp_path) == Settings()


def test_flag_before_environment_before_file_before_default(project: Path) -> None:
    environ = {"KEEPMUM_AUDIT_SEED": "2", "KEEPMUM_AUDIT_PRIOR": "0.3"}
    settings = load({"audit": AuditSettings(seed=3)}, environ=environ, folder=project)
    assert (settings.audit.seed, settings.audit.prior, settings.audit.budget, settings.audit.delta) == (3, 0.3, 900, 0)


def test_a_flag_that_was_not_set_hides_nothing(project: Path) -> None:
    assert load({"audit": AuditSettings(delta=0.01)}, environ={}, folder=project).audit.seed == 1


def test_a_flag_set_to_its_default_counts(project: Path) -> None:
    assert load({"audit": AuditSettings(seed=0)}, environ={}, folder=project).audit.seed == 0


def test_the_file_is_searched_upwards_and_paths_are_relative_to_it(project: Path) -> None:
    deep = project / "a" / "b"
    deep.mkdir(parents=True)
    assert load(environ={}, folder=deep).target.model == project / "m.skops"


def test_paths_from_flags_and_variables_are_left_alone(project: Path) -> None:
    settings = load({"data": DataSettings(members=Path("x.csv"))}, environ={"KEEPMUM_DATA_NONMEMBERS": "y.csv"})
    assert (settings.data.members, settings.data.nonmembers) == (Path("x.csv"), Path("y.csv"))


def test_the_table_of_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.keepmum.data]\nlabel = "income"\n')
    assert load(environ={}, folder=tmp_path).data.label == "income"


def test_a_pyproject_without_the_table_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "keepmum.toml").write_text("[audit]\nseed = 7\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text("[tool.ruff]\n")
    assert find(inner) == tmp_path / "keepmum.toml"


def test_lists_are_comma_separated_in_flags_and_variables(tmp_path: Path) -> None:
    flags = {"target": TargetSettings(classes=("a,b",)), "audit": AuditSettings(attacks=("x", "-y,z"))}
    settings = load(flags, environ={"KEEPMUM_DATA_SLICES": "sex, race"}, folder=tmp_path)
    assert settings.target.classes == ("a", "b")
    assert settings.audit.attacks == ("x", "-y", "z")
    assert settings.data.slices == ("sex", "race")


def test_a_list_in_a_file_may_hold_commas(tmp_path: Path) -> None:
    (tmp_path / "keepmum.toml").write_text('[data]\nslices = ["a,b"]\n')
    assert load(environ={}, folder=tmp_path).data.slices == ("a,b",)


def test_limits_from_a_variable(tmp_path: Path) -> None:
    environ = {"KEEPMUM_POLICY_MAX": "auc=0.7,tpr_at_fpr_0.01=0.02"}
    assert load(environ=environ, folder=tmp_path).policy.max == {"auc": 0.7, "tpr_at_fpr_0.01": 0.02}


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("90s", 90), ("15m", 900), ("1h30m", 5400), ("0.5h", 1800), (" 2M ", 120)]
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[adit]\nseed = 1", "table [adit] is unknown; did you mean audit?"),
        ("[audit]\nsede = 1", "[audit] sede is unknown; did you mean seed?"),
        ("[audit]\nzzz = 1", "[audit] zzz is unknown; there are address, attacks, budget"),
        ("[audit]\nprior = 2", "[audit] prior: expected less than 1, got 2"),
        ("[audit]\nseed = -1", "[audit] seed: expected greater than or equal to 0, got -1"),
        ("[audit]\nseed = 'x'", "[audit] seed: expected a valid integer"),
        ("[audit]\neffort = 'fast'", "[audit] effort: expected 'quick', 'standard' or 'thorough', got 'fast'"),
        ("[audit]\nbudget = '15x'", "[audit] budget: expected a duration such as 90s, 15m or 1h30m, got '15x'"),
        ("[audit]\nbudget = 0", "[audit] budget: expected greater than 0, got 0"),
        ("[audit]\nbudget = inf", "[audit] budget: expected a finite number"),
        ("[policy.max]\nauc = 'x'", "[policy] max auc: expected a valid number"),
        ("[policy]\non_inconclusive = 'shrug'", "[policy] on_inconclusive: expected 'fail', 'warn' or 'pass'"),
        ("audit = 3", "expected [audit] to be a table, got 3"),
        ("[audit", "expected TOML, got"),
    ],
)
def test_each_mistake_is_one_line_that_names_the_place(tmp_path: Path, toml: str, message: str) -> None:
    file = tmp_path / "keepmum.toml"
    file.write_text(toml)
    with pytest.raises(ConfigError) as caught:
        load(config=file, environ={})
    assert message in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("KEEPMUM_AUDIT_SEDE", "1", "KEEPMUM_AUDIT_SEDE is unknown; did you mean seed?"),
        ("KEEPMUM_AUDT_SEED", "1", "KEEPMUM_AUDT_SEED is unknown; did you mean audit?"),
        ("KEEPMUM_AUDIT_PRIOR", "1", "KEEPMUM_AUDIT_PRIOR: expected less than 1"),
    ],
)
def test_variables_are_checked(name: str, value: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(environ={name: value}, folder=tmp_path)
    assert str(caught.value).startswith(message)


def test_variables_of_others_are_left_alone(tmp_path: Path) -> None:
    assert load(environ={"KEEPMUM_HOME": "x", "KEEPMUMX_AUDIT_SEED": "5"}, folder=tmp_path) == Settings()


def test_a_config_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(config=tmp_path / "nope.toml")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().audit.seed = 3


def test_every_field_says_what_it_is() -> None:
    for model in (TargetSettings, DataSettings, AuditSettings, PolicySettings):
        for name, field in model.model_fields.items():
            assert field.description, name
            assert field.description.endswith("."), name
    assert flag("max_queries") == "--max-queries"
    assert flag("slices") == FLAGS["slices"] == "--slice"
    assert flag("prior", "images") == "--image-prior"
    assert flag("prior", "audit") == "--prior"


def test_every_key_is_documented() -> None:
    page = (Path(__file__).parents[1] / "docs" / "reference" / "config.md").read_text(encoding="utf-8")
    for section, field in Settings.model_fields.items():
        assert f"## `[{section}]`" in page
        assert [key for key in type(field.default).model_fields if f"| `{key}` |" not in page] == []


def test_images_come_from_flags_variables_and_files_alike(tmp_path: Path) -> None:
    (tmp_path / "keepmum.toml").write_text("[images]\npersons = true\nshape = [40, 32]\nqueries = 60\n")
    environ = {"KEEPMUM_IMAGES_PIXELS": "-1,1", "KEEPMUM_IMAGES_QUERIES": "70"}
    found = load({"images": ImageSettings(classes=3)}, environ=environ, folder=tmp_path).images
    assert found.model_dump(exclude_unset=True) == {
        "persons": True,
        "shape": (40, 32),
        "pixels": (-1.0, 1.0),
        "queries": 70,
        "classes": 3,
    }


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("shape = [4]", "[images] shape: expected height,width or height,width,channels, got 1 numbers"),
        ("pixels = [1, 0]", "[images] pixels: expected the darkest and a brighter value"),
        ("prior = 'gan'", "[images] prior: expected 'pca', 'vae' or 'pixels', got 'gan'"),
        ("sides = 3", "[images] sides is unknown"),
    ],
)
def test_images_that_cannot_be(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "keepmum.toml").write_text(f"[images]\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        load(environ={}, folder=tmp_path)
    assert message in str(caught.value)
