"""Airflow's function that masks a secret in logs and rendered fields."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Of Airflow 3.1 and later, 3.0 and 2. The common.compat provider knows them from 1.22 on, but Airflow 3.2 and earlier
# were released with older ones.
_MODULES = ("airflow.sdk.log", "airflow.sdk.execution_time.secrets_masker", "airflow.utils.log.secrets_masker")


def _of_this_airflow() -> Callable[[str], None]:
    for module in _MODULES:
        with suppress(ImportError, AttributeError):
            found: Callable[[str], None] = import_module(module).mask_secret
            return found
    raise ImportError(f"this Airflow has mask_secret in none of {', '.join(_MODULES)}")


mask_secret = _of_this_airflow()
