"""Quatrix as a file system, for ``ObjectStoragePath``, pandas and everything else that uses fsspec."""
