"""Recognises calls at the top of a DAG file, which Airflow runs whenever it reads the file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

# What runs DAG files in Airflow 3 and 2.
_LOADERS = ("airflow.dag_processing.importers.python_importer", "airflow.models.dagbag")


def dag_file_line() -> str | None:
    """Return file and line of the DAG file that is being parsed now; ``None`` if there is none."""
    frame: FrameType | None = sys._getframe(1)
    found = None
    while frame is not None:
        if frame.f_globals.get("__name__") in _LOADERS:
            return found
        if frame.f_code.co_name == "<module>":
            # The outermost file is the DAG file, which may import others.
            found = f"{frame.f_code.co_filename}, line {frame.f_lineno}"
        frame = frame.f_back
    return None
