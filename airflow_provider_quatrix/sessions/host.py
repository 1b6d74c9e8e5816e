"""What all processes of a host share about an account: a lock, and a file for what the store cannot take."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from airflow_provider_quatrix.api.errors import QuatrixError, QuatrixTransportError

if TYPE_CHECKING:
    from collections.abc import Iterator

# The lock is held for a few calls of the store, never during a call to the service.
LOCK_TIMEOUT = 60.0
# A record has a few kilobytes.
_LARGEST_RECORD = 1024 * 1024


def lock_folder(setting: str) -> Path:
    """Return the folder for locks.

    :param setting: option ``lock_dir``; empty for a folder of the user's own in the host's temporary folder.
    :raises QuatrixError: the path is relative; every process would have a folder of its own.
    """
    if not setting.strip():
        return Path(tempfile.gettempdir()) / f"airflow-quatrix-{os.getuid()}"
    try:
        folder = Path(setting.strip()).expanduser()
    except RuntimeError:
        folder = Path(setting)
    if not folder.is_absolute():
        raise QuatrixError(f"[quatrix] lock_dir is {setting!r}: give an absolute path, the same for all processes")
    return folder


class AccountFolder:
    """One account's lock and record file on this host.

    :param folder: made if it is missing; closed to other users.
    :param login: the user; the service counts logins per user.
    """

    def __init__(self, folder: Path, base_url: str, login: str) -> None:
        name = hashlib.sha256(f"{base_url}\n{login.casefold()}".encode()).hexdigest()[:32]
        self._folder = folder
        self._lock_path = folder / f"{name}.lock"
        self.record_path = folder / f"{name}.json"

    @contextmanager
    def locked(self, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
        """Hold the lock; other processes and threads of this host wait for it.

        :param timeout: seconds to wait for it.
        :raises QuatrixTransportError: another process held it for longer.
        :raises QuatrixError: the folder cannot be used.
        """
        self._open_folder()
        lock = FileLock(self._lock_path, timeout=timeout, thread_local=False)
        try:
            lock.acquire(poll_interval=0.01)
        except Timeout:
            raise QuatrixTransportError(
                f"Another process of this host has held the lock of the Quatrix session for {timeout:.0f} s"
            ) from None
        except OSError as error:
            raise self._unusable(error.strerror) from None
        try:
            yield
        finally:
            lock.release()

    def _open_folder(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = self._folder.stat().st_uid
        except OSError as error:
            raise self._unusable(error.strerror) from None
        if owner not in (os.getuid(), 0):
            # In a temporary folder that everybody can write to, another user may have made it first.
            raise self._unusable("it belongs to another user")
        for path in (self._lock_path, self.record_path):
            # Opening a FIFO would wait forever.
            if path.exists() and not path.is_file():
                raise self._unusable(f"{path.name} is not a file")

    def _unusable(self, problem: str | None) -> QuatrixError:
        return QuatrixError(
            f"The folder for locks {self._folder} cannot be used ({problem}): set [quatrix] lock_dir to another one"
        )

    def read(self) -> str | None:
        """Return the text of this host's file; ``None`` if it is missing or cannot be read."""
        try:
            if not self.record_path.is_file():
                return None
            with self.record_path.open("rb") as file:
                text = file.read(_LARGEST_RECORD + 1)
            return None if len(text) > _LARGEST_RECORD else text.decode()
        except (OSError, ValueError):
            return None

    def write(self, text: str) -> None:
        """Write this host's file; call with the lock held."""
        new = self.record_path.with_suffix(".new")
        try:
            new.unlink(missing_ok=True)
            # Replaced as a whole: a killed process leaves no half-written file.
            new.touch(mode=0o600)
            new.write_text(text)
            new.replace(self.record_path)
        except OSError as error:
            raise self._unusable(error.strerror) from None
