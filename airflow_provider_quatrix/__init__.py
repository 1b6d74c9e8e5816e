"""Apache Airflow provider for Quatrix, the managed file-transfer service by Maytech."""

from __future__ import annotations

from airflow_provider_quatrix.version import __version__

__all__ = ["__version__"]
