"""``quatrix://`` paths for universal-pathlib, on which Airflow's ``ObjectStoragePath`` is built."""

from __future__ import annotations

from upath import UPath


class QuatrixPath(UPath):
    """A path on Quatrix. Registered so that the library takes ``quatrix`` for a protocol that it knows."""

    __slots__ = ()
