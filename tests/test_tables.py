import numpy as np
import pandas as pd
import pytest

from keepmum.data import NO_LABEL, Records
from keepmum.errors import DataError
from keepmum.tables import read_answers, read_population, read_records

FRAME = pd.DataFrame({"age": [30, 41, 52], "job": ["a", "b", None], "pay": ["<=50K", ">50K", "<=50K"]})


def written(path, text, encoding="utf-8"):
    path.write_text(text, encoding=encoding)
    return path


@pytest.fixture(params=["csv", "tsv", "parquet"])
def table(request, tmp_path):
    path = tmp_path / f"people.{request.param}"
    if request.param == "parquet":
        pytest.importorskip("pyarrow")
        FRAME.to_parquet(path)
    else:
        FRAME.to_csv(path, index=False, sep="," if request.param == "csv" else "\t")
    return path


def test_tables_keep_their_types(table):
    records = read_records(table, "pay")
    assert records.columns == ["age", "job"]
    assert records.X["age"].dtype == np.int64
    assert records.X["job"].tolist()[:2] == ["a", "b"]
    assert pd.isna(records.X["job"][2])
    assert records.y.tolist() == FRAME["pay"].tolist()


def test_a_misspelled_label_column(table):
    with pytest.raises(DataError, match=r"has no column 'Pai' among age, job, pay; did you mean 'pay'\?"):
        read_records(table, "Pai")


def test_row_names_semicolons_decimal_commas_and_a_byte_order_mark(tmp_path):
    path = written(tmp_path / "r.csv", '"";"x";"y"\n"1";1,5;0\n"2";2,25;1\n', "utf-8-sig")
    records = read_records(path, "y")
    assert records.columns == ["x"]
    assert records.X["x"].tolist() == [1.5, 2.25]
    assert records.y.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\n", "is empty|no column"),
        ("a.csv", b"x,y\n", "holds no records, only 2 column names"),
        ("a.csv", b"y\n1\n", "holds the label and nothing else"),
        ("a.csv", b"x,y\n1,2,3\n4,5,6\n", "rows of unequal length"),
        ("a.csv", b"x,y\n1,2\n4,5,6\n", "rows of unequal length"),
        ("a.csv", b"x,z,y\n1,2,0\n1,2,0\n4", "row 4 has 1 values, expected 3"),
        ("a.csv", b"x,x,y\n1,2,3\n", "two columns named 'x'"),
        ("a.csv", b"x,y\n1,\n2,3\n", "a.csv: expected a label for every record"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe", "UTF-8|no text table"),
        ("a.csv", bytes(range(256)), "UTF-8|no text table"),
        ("a.csv", b"\x00" * 64, "no text table"),
        ("a.xlsx", b"PK\x03\x04", "expected .csv, .tsv, .parquet or .npz"),
        ("a.parquet", b"PAR1 no", "no Parquet file"),
        ("a.npz", b"PK\x03\x04 no", "npz archive"),
        ("a.npz", b"\x80\x04K\x01.", "npz archive"),
        ("a.npz", b"", "npz archive"),
    ],
)
def test_files_that_are_no_tables(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_records(path, "y")
    assert "\n" not in str(caught.value)
    assert "a." in str(caught.value)


@pytest.mark.parametrize("name", ["none.csv", "none.npz", "none.parquet"])
def test_files_that_are_not_there(tmp_path, name):
    with pytest.raises(DataError, match="is not there"):
        read_records(tmp_path / name, "y")
    with pytest.raises(DataError, match=r"is a folder|no npz"):
        read_records(tmp_path, "y")


def test_arrays(tmp_path):
    X, y = np.arange(6.0).reshape(3, 2), np.array([0, 1, 0])
    np.savez(tmp_path / "a.npz", X=X, y=y)
    records = read_records(tmp_path / "a.npz", "income")
    np.testing.assert_array_equal(records.X, X)
    np.testing.assert_array_equal(records.y, y)
    np.savez(tmp_path / "b.npz", age=X[:, 0], job=np.array(["a", "b", "c"]), income=y)
    named = read_records(tmp_path / "b.npz", "income")
    assert named.columns == ["age", "job"]
    np.testing.assert_array_equal(named.y, y)
    np.savez(tmp_path / "c.npz", X=X, labels=y)
    with pytest.raises(DataError, match=r"no array 'label' among X, labels; did you mean 'labels'\?"):
        read_records(tmp_path / "c.npz", "label")
    np.savez(tmp_path / "d.npz", A=X, y=y)
    with pytest.raises(DataError, match="expected an array X"):
        read_records(tmp_path / "d.npz", "y")


def test_arrays_of_objects_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.array([[object()]]), y=np.array([1]), allow_pickle=True)
    with pytest.raises(DataError, match="Python objects"):
        read_records(tmp_path / "a.npz", "y")


ANSWERS = "label,p_no,p_yes,age\nyes,0.2,0.8,30\nno,0.6,0.4,41\n"


def both(tmp_path, first, second=None):
    a = written(tmp_path / "members.csv", first)
    b = written(tmp_path / "others.csv", first if second is None else second)
    return read_answers(a, b)


def test_recorded_answers(tmp_path):
    target, split = both(tmp_path, ANSWERS, "age,p_yes,label,p_no\n52,0.9,yes,0.1\n")
    assert target.classes.tolist() == ["no", "yes"]
    np.testing.assert_allclose(target.predict_proba(split.pool), [[0.2, 0.8], [0.6, 0.4], [0.1, 0.9]])
    assert target.positions(split.pool.y).tolist() == [1, 0, 1]
    assert split.pool.column("age").tolist() == [30, 41, 52]
    assert split.is_member.tolist() == [True, True, False]
    records, is_member = split.mixed(1)
    np.testing.assert_allclose(target.predict_proba(records)[is_member, 1].sum(), 1.2)


def test_without_further_columns(tmp_path):
    _, split = both(tmp_path, "label,p_0,p_1\n0,0.2,0.8\n1,0.6,0.4\n", "label,p_0,p_1\n0,0.3,0.7\n")
    assert split.members.X.shape == (2, 0)
    assert len(split.pool) == 3


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_one_file_given_twice_is_known_by_its_answers(tmp_path, order):
    rows = ["0,0.2,0.8", "1,0.6,0.4", "1,0.1,0.9"]
    table = "label,p_0,p_1\n" + "\n".join(rows)
    with pytest.raises(DataError, match="hold the same answers"):
        both(tmp_path, table, "label,p_0,p_1\n" + "\n".join(rows[i] for i in order))


def test_a_model_of_few_answers_may_repeat_them(tmp_path):
    rows = ["0,0.5,0.5", "1,0.5,0.5", "1,0.5,0.5", "0,0.5,0.5"]
    tables = ["label,p_0,p_1\n" + "\n".join(part) for part in (rows, rows[1:] + rows[:1])]
    assert len(both(tmp_path, *tables)[1].pool) == 4 + 4


@pytest.mark.parametrize(
    ("head", "labels", "classes"),
    [
        ("p_0,p_1", ["0", "1"], [0, 1]),
        ("p_0,p_1", ["0.0", "1.0"], [0, 1]),
        ("p_0.0,p_1.0", ["0", "1"], [0, 1]),
        ("p_FALSE,p_TRUE", ["TRUE", "FALSE"], [0, 1]),
        ("p_0,p_1", ["True", "False"], [0, 1]),
        ("p_<=50K,p_>50K", ["<=50K", ">50K"], ["<=50K", ">50K"]),
        ("p_2,p_-1", ["-1", "2"], [2, -1]),
        ("p_01,p_x", ["x", "x"], ["1", "x"]),
    ],
)
def test_class_names_meet_labels_in_every_spelling(tmp_path, head, labels, classes):
    rows = "".join(f"{label},0.3,0.7\n" for label in labels)
    target, split = both(tmp_path, f"label,{head}\n{rows}", f"label,{head}\n{labels[0]},0.5,0.5\n")
    assert target.classes.tolist() == classes
    assert set(split.pool.y.tolist()) <= set(classes)
    target.positions(split.pool.y)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("label,p_no,p_yes,age\nyes,0.2,,30\n", "others.csv: expected finite probabilities"),
        ("label,p_no,p_yes,age\nyes,0.2,0.1,30\n", "others.csv: expected rows of probabilities that sum to 1"),
        ("label,p_no,p_yes,age\nyes,-2,3,30\n", "others.csv: expected probabilities between 0 and 1"),
        ("label,p_no,p_yes,age\nyes,a,b,30\n", "others.csv: expected numbers in p_no, got 'a'"),
        ("label,p_no,p_yes,age\nmaybe,0.2,0.8,30\n", "others.csv: the label 'maybe' has no probability column"),
        ("label,p_no,p_yes,age\n,0.2,0.8,30\n", "others.csv: some records have no label"),
        ("label,p_no,p_maybe,age\nno,0.2,0.8,30\n", r"different classes \(maybe, yes in one only\)"),
        ("label,p_no,p_yes\nno,0.2,0.8\n", r"different columns \(age in one only\)"),
        ("label,p_no,p_yes,job\nno,0.2,0.8,1\n", r"different columns \(age, job in one only\)"),
        ("label,p_yes,age\nyes,0.2,30\n", "got only p_yes"),
        ("label,yes,age\nyes,0.2,30\n", "got none"),
        ("Label,p_no,p_yes\nyes,0.2,0.8\n", "did you mean 'Label'"),
        ("label,p_1,p_1.0\n1,0.2,0.8\n", "two columns tell of one class"),
    ],
)
def test_answers_that_do_not_fit(tmp_path, second, message):
    with pytest.raises(DataError, match=message) as caught:
        both(tmp_path, ANSWERS, second)
    assert "\n" not in str(caught.value)


def test_answers_as_arrays(tmp_path):
    P = np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25], [1, 0, 0]])
    np.savez(tmp_path / "a.npz", probabilities=P, labels=np.array([2, 0, 1]))
    np.savez(tmp_path / "a2.npz", probabilities=P, labels=np.array([0, 1, 2]))
    target, split = read_answers(tmp_path / "a.npz", tmp_path / "a2.npz")
    assert target.classes.tolist() == [0, 1, 2]
    np.testing.assert_allclose(target.predict_proba(split.pool), np.tile(P, (2, 1)))
    np.savez(tmp_path / "b.npz", probabilities=P, labels=np.array(["b", "b", "a"]), classes=np.array(["c", "a", "b"]))
    names = {"classes": np.array(["c", "a", "b"])}
    np.savez(tmp_path / "b2.npz", probabilities=P, labels=np.array(["a", "b", "a"]), **names)
    target, split = read_answers(tmp_path / "b.npz", tmp_path / "b2.npz")
    assert target.classes.tolist() == ["c", "a", "b"]
    assert target.positions(split.members.y).tolist() == [2, 2, 1]
    np.savez(tmp_path / "c.npz", probabilities=P, labels=np.array(["b", "b", "a"]))
    with pytest.raises(DataError, match=r"c\.npz: cannot tell which of 3 probability columns"):
        read_answers(tmp_path / "c.npz", tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", probabilities=P[:, 2], labels=np.array([1, 0, 0]), X=P)
    target, split = read_answers(tmp_path / "d.npz", tmp_path / "d.npz")
    np.testing.assert_allclose(target.predict_proba(split.members)[:, 1], P[:, 2])
    assert split.members.X.shape == (3, 3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": np.array([0, 1])}, "no array 'probabilities'"),
        ({"probabilities": np.eye(2)}, "no array 'labels'"),
        ({"probabilities": np.eye(2), "labels": np.array([0])}, r"expected probabilities \(n, K\)"),
        ({"probabilities": np.eye(2), "labels": np.array([0, 1]), "classes": np.arange(3)}, "expected 2 classes"),
        ({"probabilities": np.array([["a", "b"]]), "labels": np.array([0])}, "as numbers"),
        ({"probabilities": np.eye(2), "labels": np.array([0, 7]), "classes": np.arange(2)}, "label '7' has no"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=message):
        read_answers(tmp_path / "a.npz", tmp_path / "a.npz")


def test_types_that_differ_between_the_files_are_harmless(tmp_path):
    first = "label,p_0,p_1,age,zip\n0,0.2,0.8,30,1234\n"
    second = "label,p_0,p_1,age,zip\n1.0,0.2,0.8,,AB1\n"
    target, split = both(tmp_path, first, second)
    assert split.pool.y.tolist() == [0, 1]
    ages = split.pool.column("age")
    assert ages[0] == 30
    assert np.isnan(ages[1])
    assert split.pool.column("zip").tolist() == ["1234", "AB1"]
    assert target.positions(split.pool.y).tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "numpy", "sparse", "texts", "category"])
def test_records_of_every_kind_join(kind):
    X = np.arange(8.0).reshape(4, 2)
    frame = pd.DataFrame(X, columns=["a", "b"])
    if kind == "pandas":
        values = frame
    elif kind == "polars":
        values = pytest.importorskip("polars").from_pandas(frame)
    elif kind == "pyarrow":
        values = pytest.importorskip("pyarrow").Table.from_pandas(frame)
    elif kind == "sparse":
        values = pytest.importorskip("scipy.sparse").csr_array(X)
    elif kind == "texts":
        values = ["one", "two", "three", "four"]
    elif kind == "category":
        values = frame.assign(a=pd.Categorical(list("xyxz")))
    else:
        values = X
    records = Records(values, np.array([0, 1, 0, 1]))
    first, second = records.take(np.array([0, 1])), records.take(np.array([2, 3]))
    joined = first.join(second)
    assert len(joined) == 4
    for name in records.columns:
        assert joined.column(name).tolist() == records.column(name).tolist()


def test_categories_that_differ_between_the_files_join():
    first = Records(pd.DataFrame({"a": pd.Categorical(["x", "y"])}), np.array([0, 1]))
    second = Records(pd.DataFrame({"a": pd.Categorical(["y", "z"])}), np.array([0, 1]))
    assert first.join(second).column("a").tolist() == ["x", "y", "y", "z"]


@pytest.mark.parametrize(("images", "person"), [("X", "y"), ("images", "person"), ("x", "person")])
def test_arrays_of_images_by_their_usual_names(tmp_path, images, person):
    X, y = np.arange(24.0).reshape(4, 3, 2), np.arange(4)
    np.savez(tmp_path / "faces.npz", **{images: X, person: y})
    for read in (read_records, read_population):
        records = read(tmp_path / "faces.npz", "y")
        np.testing.assert_array_equal(records.X, X)
        np.testing.assert_array_equal(records.y, y)


def test_a_column_named_x_is_a_column(tmp_path):
    np.savez(tmp_path / "table.npz", x=np.arange(4.0), z=np.arange(4.0), y=np.arange(4))
    assert read_records(tmp_path / "table.npz", "y").columns == ["x", "z"]


def test_a_single_array_with_the_labels_beside_it(tmp_path):
    X = np.arange(24.0).reshape(4, 3, 2)
    np.save(tmp_path / "faces.npy", X)
    unlabeled = read_population(tmp_path / "faces.npy", "y")
    np.testing.assert_array_equal(unlabeled.X, X)
    assert set(unlabeled.y) == {NO_LABEL}
    with pytest.raises(DataError, match=r"save them as faces\.labels\.npy beside it"):
        read_records(tmp_path / "faces.npy", "y")
    np.save(tmp_path / "faces.labels.npy", np.arange(3))
    with pytest.raises(DataError, match=r"faces\.npy: expected one label a record"):
        read_records(tmp_path / "faces.npy", "y")
    np.save(tmp_path / "faces.labels.npy", np.arange(4))
    np.testing.assert_array_equal(read_records(tmp_path / "faces.npy", "y").y, np.arange(4))


def test_a_population_needs_no_labels_in_a_table_either(tmp_path):
    pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}).to_csv(tmp_path / "others.csv", index=False)
    records = read_population(tmp_path / "others.csv", "income")
    assert records.columns == ["a", "b"]
    assert set(records.y) == {NO_LABEL}
    with pytest.raises(DataError, match="no column 'income'"):
        read_records(tmp_path / "others.csv", "income")
