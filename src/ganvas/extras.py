"""Packages that only some commands need, and that come with an extra of Ganvas."""

from __future__ import annotations

import importlib
from typing import Any

from ganvas.errors import UsageError


def needed(package: str, extra: str) -> Any:
    """The package, imported. Raises UsageError that names the extra it comes with."""
    try:
        return importlib.import_module(package)
    except ImportError:
        raise UsageError(f'this needs the package {package}: pip install "ganvas[{extra}]"') from None
