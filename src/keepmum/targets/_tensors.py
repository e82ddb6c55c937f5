"""Between records and torch: arrays, devices, types, and what modules raise."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.choices import Gives
from keepmum.data import Records
from keepmum.errors import MissingExtraError, TargetError

FAILURES = (
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
)
"""What modules raise about records of another shape or type."""
SLACK, ROUNDED = 1e-4, 1e-2
"""How far from 1 a row of probabilities may be in single precision; in half precision."""


def as_array(records: Records) -> NDArray[Any]:
    """Records as one array of numbers; the columns of a frame in their order.

    Raises:
      TargetError: There is text among them.
    """
    X = records.X
    if isinstance(X, np.ndarray):
        # mirrored images have steps backwards, which torch does not take
        return _numbers(X, "records") if X.dtype.kind not in "biuf" else np.ascontiguousarray(X)
    if hasattr(X, "tocsr"):
        return np.asarray(X.toarray())
    return np.column_stack([_numbers(records.column(name), f"the column {name!r}") for name in records.columns])


def _numbers(values: NDArray[Any], what: str) -> NDArray[Any]:
    if values.dtype.kind in "biuf":
        return values
    if values.dtype.kind == "O" and not any(isinstance(value, (str, bytes)) for value in values.ravel().tolist()):
        try:
            return values.astype(np.float64)
        except (TypeError, ValueError):
            pass
    raise TargetError(
        f"expected numbers for the module, got {what} of {values.dtype.name}: encode it as in training, or audit a "
        "function that encodes and asks"
    )


def import_torch() -> Any:
    """torch, or an error that tells how to install it."""
    try:
        import torch
    except ImportError as err:
        raise MissingExtraError("torch", "torch") from err
    return torch


def refusal(err: Exception) -> TargetError:
    """One line for what a module raised about records."""
    first = (str(err).strip().splitlines() or ["no reason given"])[0][:300]
    return TargetError(
        f"the module could not answer about these records ({type(err).__name__}: {first}): give them in the shape and "
        "type that it was trained on"
    )


def device_of(module: Any, wanted: str) -> Any:
    """The device to compute on; ``"auto"`` takes a GPU where there is one, else where the module is."""
    torch = import_torch()
    if wanted != "auto":
        try:
            return torch.empty(0, device=wanted).device
        except (RuntimeError, AssertionError) as err:
            raise TargetError(f"cannot compute on the device {wanted!r} ({str(err).splitlines()[0][:200]})") from err
    here = next((value.device for value in module.parameters()), torch.device("cpu"))
    if here.type != "cpu" or not torch.cuda.is_available():
        return here
    return torch.device("cuda")


def copied_to(module: Any, device: Any) -> Any:
    """A copy in evaluation mode, without gradients."""
    try:
        copied = copy.deepcopy(module).to(device).eval()
    except (RuntimeError, TypeError, NotImplementedError) as err:
        raise TargetError(f"expected a module that can be copied, got {type(module).__name__} ({err})") from err
    copied.zero_grad(set_to_none=True)
    return copied


def dtype_of(module: Any, wanted: str | None) -> Any:
    """The type that the module is given records in."""
    torch = import_torch()
    if wanted is None:
        own = (value.dtype for value in module.parameters() if value.dtype.is_floating_point)
        return next(own, torch.float32)
    found = getattr(torch, wanted, None)
    if not isinstance(found, torch.dtype):
        raise TargetError(f"expected the name of a torch type such as 'float32' or 'int64', got {wanted!r}")
    return found


def tell_apart(module: Any, answer: Any, declared: Gives) -> str:
    """Look at whether answers are logits or probabilities, and say so in one sentence.

    Probabilities taken for logits would pass as an unsure model, which an audit must not take for a discreet one.

    Args:
      module: Who gave them.
      answer: ``(n, K)``, or ``(n, 1)`` about the second of two classes.
      declared: What they are said to be.

    Raises:
      TargetError: They are of the other kind.
    """
    several = answer.shape[1] > 1
    if declared is Gives.PROBABILITIES:
        if not _probable(answer, ROUNDED):
            raise TargetError(
                f"expected probabilities from the module, as declared, got values from {float(answer.min()):.4g} to "
                f"{float(answer.max()):.4g} in rows that need not sum to 1: declare logits, or audit a function"
            )
        return "The module was seen to give probabilities, as declared: their logarithms count as its logits."
    *_, last = module.modules()
    logistic = getattr(last, "original_name", type(last).__name__) == "Sigmoid"
    if len(answer) and _probable(answer, SLACK):
        if several or logistic:
            raise TargetError(
                "expected a module that gives logits, got one that gives probabilities: declare it "
                "(gives='probabilities', --gives probabilities), take its last layer off, or audit a function"
            )
        return "The module gives single numbers from 0 to 1, taken for logits: declare them if they are probabilities."
    return f"The module was seen to give logits: {'softmax' if several else 'the logistic function'} was applied."


def _probable(answer: Any, slack: float) -> bool:
    """Whether ``(n, K)`` or ``(n, 1)`` numbers can be probabilities."""
    if len(answer) and (answer.min() < 0 or answer.max() > 1 + slack):
        return False
    return answer.shape[1] == 1 or bool(((answer.sum(dim=1) - 1).abs() < slack).all())


def logs_of(probabilities: Any) -> Any:
    """Logits of probabilities: logarithms of ``(n, K)``; log-odds of ``(n, 1)``, which is about one of two classes."""
    torch = import_torch()
    facts = torch.finfo(probabilities.dtype)
    p = probabilities.clamp(min=facts.tiny)
    if p.shape[1] > 1:
        return p.log()
    return p.log() - (1 - probabilities).clamp(min=facts.tiny).log()


def to_numpy(tensor: Any) -> NDArray[Any]:
    """Off its device; half precision, which numpy does not know, as single."""
    tensor = tensor.detach()
    return np.asarray((tensor.float() if tensor.element_size() < 4 else tensor).cpu().numpy())
