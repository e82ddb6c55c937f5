"""Fixtures of the report's tests: the two sample reports."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from keepmum.report import Report


@pytest.fixture(scope="session")
def sample() -> ModuleType:
    """The module with the sample reports (tests are imported without a package)."""
    spec = importlib.util.spec_from_file_location("keepmum_report_sample", Path(__file__).with_name("sample.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def leaky(sample: ModuleType) -> Report:
    """A forest that memorized."""
    return sample.leaky()


@pytest.fixture(scope="session")
def tight(sample: ModuleType) -> Report:
    """A model that generalizes."""
    return sample.tight()


@pytest.fixture(scope="session")
def asked(sample: ModuleType) -> Report:
    """The forest that memorized, asked about hidden attributes."""
    return sample.asked()
