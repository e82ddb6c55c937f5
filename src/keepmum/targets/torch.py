"""PyTorch modules, with their insides open: probabilities, gradients, activations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.choices import Gives
from keepmum.data import Records
from keepmum.errors import ConfigError, TargetError
from keepmum.targets._base import Floats, GradientTarget, Indices
from keepmum.targets._tensors import (
    FAILURES,
    as_array,
    copied_to,
    device_of,
    dtype_of,
    import_torch,
    logs_of,
    refusal,
    tell_apart,
    to_numpy,
)
from keepmum.targets.function import infer_classes

BLOCK = 2**24
"""Numbers in one block of gradients at most: 64 MiB in single precision."""


class TorchTarget(GradientTarget):
    """A trained ``torch.nn.Module`` whose forward pass gives logits, or probabilities where that is declared.

    K logits become probabilities by softmax, a single one by the logistic function; of probabilities the logarithms
    count as logits. Which of the two the answers are is looked at, and stands in `notes`. The module is copied and put
    in evaluation mode: the caller's module, its gradients and its training flags stay as they are, and what is done to
    it later does not change the answers.

    Args:
      module: Called with ``(n, …)`` tensors; returns ``(n, K)`` logits, or ``(n,)`` or ``(n, 1)`` for two classes, or
        an object that has them as ``logits``.
      classes: ``(K,)`` labels in the order of the logits.
      device: Where to compute; ``"auto"`` takes a GPU where there is one, else where the module is.
      batch_size: Records that are asked about at once.
      dtype: Type of the records as the module is given them, such as ``"float32"`` or ``"int64"``; None for the type
        of the module's parameters.
      gives: ``"logits"``, or ``"probabilities"`` for a module that ends in a softmax or a logistic function. Where
        such a function is saturated, probabilities of exactly 0 or 1 tell no gradient.

    Raises:
      TargetError: No module, or one that cannot be copied.
      ConfigError: It is said to give something else.
      MissingExtraError: torch is not installed.
    """

    def __init__(
        self,
        module: Any,
        classes: Any,
        *,
        device: str = "auto",
        batch_size: int = 4096,
        dtype: str | None = None,
        gives: str = "logits",
    ) -> None:
        super().__init__(np.asarray(classes))
        torch = import_torch()
        if not isinstance(module, torch.nn.Module):
            raise TargetError(f"expected a torch.nn.Module, got {type(module).__name__}")
        if batch_size < 1:
            raise TargetError(f"expected a batch size of at least 1, got {batch_size}")
        if gives not in list(Gives):
            raise ConfigError(f"expected a module that gives {' or '.join(Gives)}, got {gives!r}")
        self.gives = Gives(gives)
        self.device = device_of(module, device)
        self._module = copied_to(module, self.device)
        self._batch_size = batch_size
        self._dtype = dtype_of(self._module, dtype)
        every = dict(self._module.named_parameters())
        self._trained = {name: value for name, value in every.items() if value.requires_grad} or every

    @property
    def internals(self) -> Any:
        """The copied module."""
        return self._module

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the modules that hold no others, in the order in which they are declared."""
        return tuple(name for name, part in self._module.named_modules() if name and not any(part.children()))

    @property
    def parameters(self) -> int:
        """Number of trainable parameters; of all, if none is trainable."""
        return sum(value.numel() for value in self._trained.values())

    def _predict_proba(self, records: Records) -> Floats:
        torch = import_torch()
        with torch.no_grad():
            parts = [self._answered(x).double() for x in self._batches(records)]
        answers = torch.cat(parts)
        found = tell_apart(self._module, answers, self.gives)
        if found not in self.notes:
            self.notes.append(found)
        return np.asarray(torch.softmax(self._filled(answers), dim=1).cpu().numpy(), dtype=np.float64)

    def _input_gradients(self, records: Records, places: Indices) -> NDArray[np.floating]:
        torch = import_torch()
        if not self._dtype.is_floating_point:
            raise TargetError("expected records of real numbers for gradients, got a module that takes integers")
        parts, start = [], 0
        for x in self._batches(records):
            label = torch.as_tensor(places[start : start + len(x)], device=self.device)
            start += len(x)
            x.requires_grad_(True)
            loss = torch.nn.functional.cross_entropy(self._ask(x), label, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, x)
            parts.append(to_numpy(gradient))
        return np.concatenate(parts)

    def _activations(self, records: Records, layer: str) -> NDArray[np.floating]:
        torch = import_torch()
        heard: list[Any] = []

        def listen(part: Any, given: Any, answer: Any) -> None:
            heard.append(answer[0] if isinstance(answer, tuple) else answer)

        hook = self._module.get_submodule(layer).register_forward_hook(listen)
        try:
            with torch.no_grad():
                for x in self._batches(records):
                    before = len(heard)
                    self._ask(x)
                    if len(heard) != before + 1 or len(heard[-1]) != len(x):
                        raise TargetError(f"expected the layer {layer!r} to answer once with a row for each record")
        finally:
            hook.remove()
        return np.concatenate([part.flatten(1).double().cpu().numpy() for part in heard])

    def _loss_gradients(self, records: Records, places: Indices) -> Iterator[NDArray[np.floating]]:
        torch = import_torch()
        rows = max(1, min(self._batch_size, BLOCK // max(1, self.parameters)))
        label, start = torch.as_tensor(places, device=self.device), 0
        for x in self._batches(records, rows):
            try:
                yield self._gradients(x, label[start : start + len(x)])
            except FAILURES as err:
                raise refusal(err) from err
            start += len(x)

    def _gradients(self, x: Any, label: Any) -> NDArray[np.floating]:
        """Gradients of some records, ``(rows, p)``; one after another where a layer cannot be vectorized."""
        torch = import_torch()
        fixed = {name: value for name, value in self._module.named_parameters() if name not in self._trained}
        fixed = {name: value.detach() for name, value in (*fixed.items(), *self._module.named_buffers())}
        trained = {name: value.detach() for name, value in self._trained.items()}

        def loss(parameters: Any, one: Any, place: Any) -> Any:
            answer = torch.func.functional_call(self._module, {**fixed, **parameters}, (one[None],))
            return torch.nn.functional.cross_entropy(self._logits(answer), place[None])

        each = torch.func.grad(loss)
        try:
            found = torch.func.vmap(each, in_dims=(None, 0, 0))(trained, x, label)
        except FAILURES:
            alone = [each(trained, one, place) for one, place in zip(x, label, strict=True)]
            found = {name: torch.stack([gradient[name] for gradient in alone]) for name in trained}
        blocks = [found[name].reshape(len(x), -1) for name in trained]
        return to_numpy(torch.cat(blocks, dim=1))

    def _batches(self, records: Records, rows: int | None = None) -> Iterator[Any]:
        """Tensors of some records each."""
        torch = import_torch()
        values, rows = as_array(records), rows or self._batch_size
        for start in range(0, len(values), rows):
            yield torch.tensor(values[start : start + rows]).to(device=self.device, dtype=self._dtype)

    def _ask(self, x: Any) -> Any:
        """Logits, ``(n, K)``."""
        return self._filled(self._answered(x))

    def _answered(self, x: Any) -> Any:
        """What the module says, ``(n, K)`` or ``(n, 1)``; what it raises about the records becomes one line."""
        try:
            return self._columns(self._module(x))
        except FAILURES as err:
            raise refusal(err) from err

    def _logits(self, answer: Any) -> Any:
        return self._filled(self._columns(answer))

    def _columns(self, answer: Any) -> Any:
        """An answer as ``(n, K)``, or ``(n, 1)`` where only the second of two classes is told."""
        torch = import_torch()
        answer = getattr(answer, "logits", answer)
        if not isinstance(answer, torch.Tensor):
            raise TargetError(f"expected a tensor of {self.gives} from the module, got {type(answer).__name__}")
        if len(self.classes) == 2 and answer.shape[1:] in ((), (1,)):
            answer = answer.reshape(-1, 1)
        elif answer.shape[1:] != (len(self.classes),):
            raise TargetError(
                f"expected {len(self.classes)} {self.gives} a record, got an answer of {tuple(answer.shape)}"
            )
        return answer.float() if answer.element_size() < 4 else answer

    def _filled(self, answer: Any) -> Any:
        """Logits of all classes, ``(n, K)``."""
        torch = import_torch()
        logits = logs_of(answer) if self.gives is Gives.PROBABILITIES else answer
        return torch.cat([torch.zeros_like(logits), logits], dim=1) if logits.shape[1] == 1 else logits


def from_module(
    module: Any, classes: Any = None, labels: Any = None, probe: Records | None = None, **options: Any
) -> TorchTarget:
    """Target for a module.

    Args:
      module: See `TorchTarget`.
      classes: ``(K,)`` labels in the order of the logits.
      labels: Labels of the records, to infer the classes from; see `keepmum.targets.function.infer_classes`.
      probe: A few records to ask about once, so that K is known; without it K is the number of labels.
      options: Further options of `TorchTarget`.

    Raises:
      TargetError: The classes cannot be told.
    """
    if classes is not None:
        return TorchTarget(module, classes, **options)
    if labels is None:
        raise TargetError("expected the classes of the module, in the order of its logits: give classes=[…]")
    if probe is None or not len(probe):
        return TorchTarget(module, infer_classes(labels), **options)
    torch, blank = import_torch(), TorchTarget(module, [0, 1], **options)
    with torch.no_grad():
        try:
            answer = blank._module(next(blank._batches(probe)))
        except FAILURES as err:
            raise refusal(err) from err
    shape = tuple(getattr(answer, "logits", answer).shape)
    return TorchTarget(module, infer_classes(labels, 2 if shape[1:] in ((), (1,)) else shape[1]), **options)


def is_module(model: Any) -> bool:
    """Whether it is a torch module; torch is not loaded to find out."""
    import sys

    torch = sys.modules.get("torch")
    return torch is not None and hasattr(torch, "nn") and isinstance(model, torch.nn.Module)
