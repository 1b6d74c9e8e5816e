"""Airflow's function that masks a secret in logs and rendered fields."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Of Airflow 3 and 2. The common.compat provider has the function too, but only from 1.22 on, which is newer than what
# Airflow 3.3.2 was released with.
_MODULES = ("airflow.sdk.log", "airflow.utils.log.secrets_masker")


def _of_this_airflow() -> Callable[[str], None]:
    for module in _MODULES:
        with suppress(ImportError, AttributeError):
            found: Callable[[str], None] = import_module(module).mask_secret
            return found
    raise ImportError(f"this Airflow has mask_secret in none of {', '.join(_MODULES)}")


mask_secret = _of_this_airflow()
