"""``quatrix://`` paths for universal-pathlib, on which Airflow's ``ObjectStoragePath`` is built."""

from __future__ import annotations

from upath import UPath

# Makes the file system known to fsspec: the library warns of a protocol whose class it cannot find.
import airflow_provider_quatrix.fs.quatrix  # noqa: F401


class QuatrixPath(UPath):
    """A path on Quatrix. Registered so that the library takes ``quatrix`` for a protocol that it knows."""

    __slots__ = ()
