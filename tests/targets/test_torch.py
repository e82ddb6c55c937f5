"""Torch modules: probabilities, gradients held against finite differences, and a module that stays as it was."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import keepmum
from keepmum.data import Records
from keepmum.errors import ConfigError, DataError, MissingExtraError, TargetError
from keepmum.targets import GradientTarget, TorchTarget, as_target
from keepmum.targets._remembered import remembered

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

N, D, K = 23, 4, 3
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(N, D)), RNG.integers(0, K, N)
RECORDS = Records(X, Y, np.arange(N))


def network(outputs=K, seed=0, dtype=torch.float64):
    torch.manual_seed(seed)
    layers = [nn.Linear(D, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.5), nn.Linear(6, outputs)]
    module = nn.Sequential(*layers).to(dtype)
    module[1].running_mean += 0.3
    return module


def losses(target, records):
    answers = target.predict_proba(records)
    return -np.log(answers[np.arange(len(records)), target.positions(records.y)])


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_probabilities_are_the_softmax_of_the_logits_in_evaluation_mode():
    module = network()
    with torch.no_grad():
        expected = torch.softmax(network().eval()(torch.tensor(X)), dim=1).numpy()
    np.testing.assert_allclose(TorchTarget(module, range(K)).predict_proba(RECORDS), expected, rtol=1e-12)


@pytest.mark.parametrize("flat", [False, True])
def test_one_logit_is_that_of_the_second_class(flat):
    module = nn.Sequential(network(1), nn.Flatten(0)) if flat else network(1)
    records = Records(X, np.where(Y > 0, "yes", "no"))
    target = TorchTarget(module, ["no", "yes"])
    with torch.no_grad():
        expected = torch.sigmoid(network(1).eval()(torch.tensor(X))).numpy().ravel()
    np.testing.assert_allclose(target.predict_proba(records)[:, 1], expected, rtol=1e-12)
    assert target.loss_gradients(records).shape == (N, target.parameters)


def test_batches_do_not_matter():
    small, large = (TorchTarget(network(), range(K), batch_size=size) for size in (5, 1000))
    for ask in ("predict_proba", "loss_gradients", "gradient_norms", "input_gradients"):
        np.testing.assert_allclose(getattr(small, ask)(RECORDS), getattr(large, ask)(RECORDS), rtol=1e-10)
    np.testing.assert_allclose(small.activations(RECORDS, "2"), large.activations(RECORDS, "2"), rtol=1e-10)


def test_loss_gradients_are_those_of_finite_differences():
    module = network()
    module[0].bias.requires_grad_(False)
    target, step = TorchTarget(module, range(K)), 1e-6
    found = target.loss_gradients(RECORDS)
    trained = [value for value in module.parameters() if value.requires_grad]
    assert found.shape == (N, target.parameters) == (N, sum(value.numel() for value in trained))
    column = 0
    for value in trained:
        for place in np.ndindex(tuple(value.shape)):
            each = []
            for sign in (1, -1):
                with torch.no_grad():
                    value[place] += sign * step
                each.append(losses(TorchTarget(module, range(K)), RECORDS))
                with torch.no_grad():
                    value[place] -= sign * step
            np.testing.assert_allclose(found[:, column], (each[0] - each[1]) / (2 * step), atol=1e-7)
            column += 1


def test_input_gradients_are_those_of_finite_differences():
    target, step = TorchTarget(network(), range(K)), 1e-6
    found = target.input_gradients(RECORDS)
    for column in range(D):
        moved = [X.copy(), X.copy()]
        moved[0][:, column] += step
        moved[1][:, column] -= step
        ahead, behind = (losses(target, Records(values, Y)) for values in moved)
        np.testing.assert_allclose(found[:, column], (ahead - behind) / (2 * step), atol=1e-7)


def test_a_chosen_class_is_that_of_the_records_asked_about():
    target = TorchTarget(network(), range(K))
    each = np.stack([target.input_gradients(Records(X, np.full(N, k))) for k in range(K)])
    weights = target.predict_proba(RECORDS)
    np.testing.assert_allclose((weights.T[:, :, None] * each).sum(axis=0), 0, atol=1e-12)  # sum of p_k grad log p_k
    assert not np.allclose(each[0], each[1])


def test_norms_are_those_of_the_gradients_and_never_hold_them_all(monkeypatch):
    target = TorchTarget(network(), range(K))
    expected = np.linalg.norm(target.loss_gradients(RECORDS), axis=1)
    monkeypatch.setattr("keepmum.targets.torch.BLOCK", 3 * target.parameters)
    sizes = [block.shape for block in target._blocks(RECORDS)]
    assert max(rows for rows, _ in sizes) == 3
    np.testing.assert_allclose(target.gradient_norms(RECORDS), expected, rtol=1e-12)


class Counter(nn.Module):
    """Looks at its values, so that it cannot be vectorized."""

    def __init__(self):
        super().__init__()
        self.part = nn.Linear(D, K, dtype=torch.float64)

    def forward(self, x):
        return self.part(x) * (2.0 if float(x.detach().abs().max()) > 1e9 else 1.0)


def test_a_module_that_cannot_be_vectorized_is_asked_one_by_one():
    module = Counter()
    plain = nn.Sequential(module.part)
    expected = TorchTarget(plain, range(K)).loss_gradients(RECORDS)
    np.testing.assert_allclose(TorchTarget(module, range(K)).loss_gradients(RECORDS), expected, rtol=1e-10)


def test_activations_of_a_convolution_are_flattened():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, K))
    images = Records(RNG.normal(size=(5, 1, 4, 4)), np.zeros(5, dtype=int))
    target = TorchTarget(module, range(K))
    assert target.layers == ("0", "1", "2", "3")
    found = target.activations(images, "1")
    with torch.no_grad():
        expected = module[:2](torch.tensor(images.X, dtype=torch.float32)).flatten(1).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert target.input_gradients(images).shape == images.X.shape
    with pytest.raises(TargetError, match=r"expected a layer of the model \(0, 1, 2, 3\), got 'fc'"):
        target.activations(images, "fc")


def test_the_module_stays_as_it_was():
    module = network()
    module.train()
    module[1].eval()
    module[0].weight.grad = torch.ones_like(module[0].weight)
    before, flags = state(module), [part.training for part in module.modules()]
    target = TorchTarget(module, range(K))
    for ask in (target.predict_proba, target.loss_gradients, target.gradient_norms, target.input_gradients):
        ask(RECORDS)
    target.activations(RECORDS, "0")
    assert [part.training for part in module.modules()] == flags
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert torch.equal(module[0].weight.grad, torch.ones_like(module[0].weight))
    assert module[4].weight.grad is None
    assert all(value.grad is None for value in target.internals.parameters())
    answers = target.predict_proba(RECORDS)
    with torch.no_grad():
        module[4].weight += 1
    np.testing.assert_array_equal(target.predict_proba(RECORDS), answers)


def test_every_row_is_counted():
    target = TorchTarget(network(), range(K))
    for ask in (target.loss_gradients, target.gradient_norms, target.input_gradients):
        ask(RECORDS)
    target.activations(RECORDS, "0")
    assert target.queries == 4 * N
    nobody = RECORDS.take(np.arange(0))
    assert target.loss_gradients(nobody).shape == (0, target.parameters)
    assert target.gradient_norms(nobody).shape == (0,)
    assert target.input_gradients(nobody).shape == (0, D)


def test_memory_keeps_the_insides_open_and_counts():
    inner = TorchTarget(network(), range(K))
    target = remembered(inner)
    assert isinstance(target, GradientTarget)
    assert (target.layers, target.parameters) == (inner.layers, inner.parameters)
    target.predict_proba(RECORDS)
    target.predict_proba(RECORDS)
    assert (target.queries, inner.queries) == (2 * N, N)
    for ask in ("loss_gradients", "gradient_norms", "input_gradients"):
        np.testing.assert_array_equal(getattr(target, ask)(RECORDS), getattr(inner, ask)(RECORDS))
    np.testing.assert_array_equal(target.activations(RECORDS, "0"), inner.activations(RECORDS, "0"))
    assert (target.queries, inner.queries) == (6 * N, 9 * N)


def test_frames_become_numbers_and_text_is_refused():
    import pandas as pd

    target = TorchTarget(network(dtype=torch.float32), range(K))
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["a"] = frame["a"].round().astype("Int64")
    answers = target.predict_proba(Records(frame, Y))
    assert answers.shape == (N, K)
    np.testing.assert_allclose(target.predict_proba(Records(frame.astype(float).to_numpy(), Y)), answers, rtol=1e-6)
    frame["b"] = "much"
    with pytest.raises(TargetError, match="expected numbers for the module, got the column 'b'"):
        target.predict_proba(Records(frame, Y))
    with pytest.raises(TargetError, match="expected numbers"):
        target.predict_proba(Records(np.full((N, D), "x"), Y))


def test_integers_go_to_an_embedding():
    module = nn.Sequential(nn.Embedding(7, 2), nn.Flatten(), nn.Linear(2 * D, K))
    records = Records(RNG.integers(0, 7, (N, D)), Y)
    target = TorchTarget(module, range(K), dtype="int64")
    assert target.predict_proba(records).shape == (N, K)
    assert target.gradient_norms(records).shape == (N,)
    with pytest.raises(TargetError, match="integers"):
        target.input_gradients(records)


def test_half_precision_is_told_in_single():
    target = TorchTarget(network(dtype=torch.bfloat16), range(K))
    assert target.loss_gradients(RECORDS).dtype == np.float32
    assert target.input_gradients(RECORDS).shape == X.shape


class Named(nn.Module):
    """Answers as models of transformers do."""

    def __init__(self, answer):
        super().__init__()
        self.part, self.answer = nn.Linear(D, K, dtype=torch.float64), answer

    def forward(self, x):
        return self.answer(self.part(x))


class Output:
    def __init__(self, logits):
        self.logits = logits


def test_logits_of_an_object_are_read():
    assert TorchTarget(Named(Output), range(K)).predict_proba(RECORDS).shape == (N, K)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TorchTarget(network, range(K)), "expected a torch.nn.Module"),
        (lambda: TorchTarget(network(), range(K), batch_size=0), "batch size"),
        (lambda: TorchTarget(network(), range(K), device="mainframe"), "cannot compute on the device"),
        (lambda: TorchTarget(network(), range(K), dtype="number"), "name of a torch type"),
        (lambda: TorchTarget(network(4), range(K)).predict_proba(RECORDS), "expected 3 logits a record"),
        (lambda: TorchTarget(Named(list), range(K)).predict_proba(RECORDS), "expected a tensor of logits"),
        (
            lambda: TorchTarget(nn.Sequential(network(), nn.Softmax(1)), range(K)).predict_proba(RECORDS),
            "gives probabilities",
        ),
        (
            lambda: TorchTarget(nn.Sequential(network(1), nn.Sigmoid()), [0, 1]).predict_proba(RECORDS),
            "gives probabilities",
        ),
        (
            lambda: TorchTarget(network(), range(K)).predict_proba(Records(X[:, :2], Y)),
            "could not answer about these records",
        ),
    ],
)
def test_what_cannot_be_used_is_one_line(make, said):
    with pytest.raises(TargetError, match=said) as told:
        make()
    assert "\n" not in str(told.value)


def test_labels_that_it_does_not_know():
    with pytest.raises(DataError, match="not seen in training"):
        TorchTarget(network(), range(K)).loss_gradients(Records(X, Y + 5))


def test_torch_missing_is_an_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match="keepmum\\[torch\\]"):
        TorchTarget(object(), range(K))


@pytest.mark.parametrize("outputs", [1, 3])
def test_classes_of_a_module_are_inferred(outputs):
    labels = np.arange(N) % max(2, outputs)
    for labels_given, expected in ((labels, list(range(max(2, outputs)))), (np.array(list("abc"))[labels], None)):
        target = as_target(network(outputs), labels_given, probe=Records(X, labels_given))
        assert isinstance(target, TorchTarget)
        assert target.classes.tolist() == (expected or sorted(set(labels_given.tolist())))
    assert as_target(network(outputs), None, classes=expected or range(max(2, outputs)))
    with pytest.raises(TargetError, match="give classes"):
        as_target(network(outputs), None)


def test_other_models_do_not_load_torch():
    code = (
        "import sys; from keepmum.targets import as_target; as_target(len, [0, 1]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_an_audit_of_a_module_finds_what_it_memorized():
    rng = np.random.default_rng(1)
    data = [(rng.normal(size=(80, 20)).astype(np.float32), rng.integers(0, 2, 80)) for _ in range(2)]
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    inputs, labels = torch.tensor(data[0][0]), torch.tensor(data[0][1])
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(inputs), labels).backward()
        optimizer.step()
    report = keepmum.audit(module, members=data[0], nonmembers=data[1], effort="quick")
    found = {finding.id: finding.outcome.value for finding in report.findings}
    assert "error" not in found.values()
    assert found["membership/loss"] == "leak"
    assert report.target["access"] == "gradients"


def ends(outputs=K):
    return nn.Sequential(network(outputs), nn.Softmax(dim=1) if outputs > 1 else nn.Sigmoid())


@pytest.mark.parametrize("outputs", [K, 1])
def test_declared_probabilities_are_answered_and_differentiated_as_their_logits(outputs):
    labels = range(max(outputs, 2))
    records = Records(X, Y % len(labels))
    plain = TorchTarget(network(outputs), labels)
    declared = TorchTarget(ends(outputs), labels, gives="probabilities")
    for ask in ("predict_proba", "input_gradients", "loss_gradients", "gradient_norms"):
        np.testing.assert_allclose(getattr(declared, ask)(records), getattr(plain, ask)(records), rtol=1e-9, atol=1e-12)
    assert plain.notes == [
        f"The module was seen to give logits: {'softmax' if outputs > 1 else 'the logistic function'} was applied."
    ]
    assert declared.notes == [
        "The module was seen to give probabilities, as declared: their logarithms count as its logits."
    ]
    declared.predict_proba(records)
    assert len(declared.notes) == 1


def test_logits_declared_as_probabilities_are_refused():
    with pytest.raises(TargetError, match="expected probabilities from the module, as declared, got values from -"):
        TorchTarget(network(), range(K), gives="probabilities").predict_proba(RECORDS)
    several = nn.Sequential(network(), nn.Sigmoid())  # of several labels, not of one
    with pytest.raises(TargetError, match="need not sum to 1"):
        TorchTarget(several, range(K), gives="probabilities").predict_proba(RECORDS)
    with pytest.raises(ConfigError, match="expected a module that gives logits or probabilities, got 'odds'"):
        TorchTarget(network(), range(K), gives="odds")


def test_certain_probabilities_stay_certain():
    class Certain(nn.Module):
        def forward(self, x):
            return torch.nn.functional.one_hot((x[:, 0] > 0).long(), K).to(x.dtype)

    told = TorchTarget(Certain(), range(K), gives="probabilities").predict_proba(RECORDS)
    np.testing.assert_allclose(told, np.eye(K)[(X[:, 0] > 0).astype(int)], atol=1e-30)


def test_single_numbers_from_0_to_1_are_remarked_on():
    class Half(nn.Module):
        def forward(self, x):
            return torch.sigmoid(x[:, :1])

    target = TorchTarget(Half(), [0, 1])
    target.predict_proba(RECORDS)
    assert "declare them if they are probabilities" in target.notes[0]
