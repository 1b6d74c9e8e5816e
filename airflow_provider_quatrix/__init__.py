"""Apache Airflow provider for Quatrix, the managed file-transfer service by Maytech."""

from __future__ import annotations

__version__ = "0.1.0"
