"""Temporary names of files that are not complete yet."""

from __future__ import annotations

import hashlib
import re
import threading
import uuid

_TEMPORARY = re.compile(r"^\.[0-9a-f]{24}(-[0-9a-f]{16})?\.quatrix-part$")


def temporary_name(*parts: str) -> str:
    """Return the name under which a file is written until it is complete.

    The same parts give the same name, so that a retry finds what the last try left.

    :param parts: what the file is, and who writes it.
    :return: a hidden name that :func:`is_temporary` recognises.
    """
    return f".{_digest(*parts)[:24]}.quatrix-part"


def part_name(target: str, version: str) -> str:
    """Return the name of a local file that is being downloaded.

    :param target: final name.
    :param version: of the remote file; parts of two versions have different names.
    :return: a hidden name; all parts of one target have the same beginning.
    """
    return f"{part_prefix(target)}{_digest(version)[:16]}.quatrix-part"


def part_prefix(target: str) -> str:
    """Return the beginning of the names of all parts of a target."""
    return f".{_digest(target)[:24]}-"


def is_temporary(name: str) -> bool:
    """Return whether a file is one that this package is still writing."""
    return _TEMPORARY.match(name) is not None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


class NamesInUse:
    """Temporary names that this process writes to now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[str] = set()

    def acquire(self, path: str, resume_key: str) -> str:
        """Return the name that a retry with the same resume key finds; a new one if that is in use."""
        with self._lock:
            name = temporary_name(path, resume_key) if resume_key else ""
            if not name or name in self._taken:
                name = temporary_name(path, uuid.uuid4().hex)
            self._taken.add(name)
            return name

    def release(self, name: str) -> None:
        """Allow a name again."""
        with self._lock:
            self._taken.discard(name)
