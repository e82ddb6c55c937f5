"""A program that torch loads from a file, as a module like any other."""

from __future__ import annotations

from typing import Any

from keepmum.targets._tensors import import_torch


def as_module(program: Any) -> Any:
    """A ``torch.nn.Module`` that calls a program, and hides it from what is done to modules.

    What `torch.export` makes can be put neither in evaluation mode (it stays in the mode in which it was exported) nor
    on a device.
    """
    base: Any = import_torch().nn.Module

    class Program(base):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return program(x)

        def __deepcopy__(self, memo: dict[int, Any]) -> Any:
            return self  # nobody else holds it

    return Program()
