"""Quatrix as a file system, for ``ObjectStoragePath``, pandas and whatever else reads and writes by fsspec."""
