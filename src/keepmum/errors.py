"""What can go wrong, as a tree.

    KeepmumError
    ├── UsageError            what a person gave cannot be used; exit code 2
    │   ├── DataError         records, labels, files of records
    │   ├── ConfigError       settings, options, keepmum.toml
    │   ├── TargetError       a model, or what it answers
    │   └── UnsafeFileError   a model file that is refused
    ├── MissingExtraError     an optional package is not installed
    ├── NotApplicableError    an attack cannot be played against this target or data
    ├── NotResolvableError    the sample is too small for what was asked
    ├── BudgetError           the query budget is spent
    └── WorkerError           workers were lost again and again

Every message says what was expected, what came, and what to do next, in one line.
"""


class KeepmumError(Exception):
    """Root of all errors that keepmum raises on purpose."""


class UsageError(KeepmumError):
    """What a person gave cannot be used (exit code 2)."""


class DataError(UsageError):
    """Records, labels or a file of records cannot be used."""


class ConfigError(UsageError):
    """A setting is unknown, of the wrong type or out of range."""


class TargetError(UsageError):
    """A model cannot be asked, or its answers are not answers."""


class UnsafeFileError(UsageError):
    """A model file is refused because loading it could run code or crash."""


class MissingExtraError(KeepmumError):
    """An optional package is needed and not installed.

    Attributes:
      extra: Name of the extra to install, as in ``pip install keepmum[extra]``.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"needs the package {package}: pip install 'keepmum[{extra}]'")
        self.extra = extra


class NotApplicableError(KeepmumError):
    """An attack cannot be played against this target or on this data."""


class NotResolvableError(KeepmumError):
    """The sample is too small to show what was asked for."""


class BudgetError(KeepmumError):
    """The query budget is spent; answers obtained so far are kept."""


class WorkerError(KeepmumError):
    """Workers that train shadow models were lost again and again; what is finished is kept."""
