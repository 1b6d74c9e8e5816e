"""What all processes of a host share about an account: a lock around its logins, and when they happened."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from airflow_provider_quatrix.api.errors import QuatrixTransportError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Longer than a sign-in may take, the wait for a fresh 2FA code included.
LOCK_TIMEOUT = 300.0


def default_lock_dir() -> Path:
    """Return the folder for locks where the configuration names none: in the host's folder for temporary files."""
    return Path(tempfile.gettempdir()) / f"airflow-quatrix-{os.getuid()}"


class HostLedger:
    """One account's lock and login times on this host. Holds nothing secret.

    :param folder: folder for locks; made if missing, closed to other users.
    :param base_url: the account's address.
    :param login: the user, as the service counts logins per user.
    """

    def __init__(self, folder: Path, base_url: str, login: str) -> None:
        name = hashlib.sha256(f"{base_url}\n{login}".encode()).hexdigest()[:32]
        self._folder = folder
        self._lock_path = folder / f"{name}.lock"
        self._attempts_path = folder / f"{name}.logins"

    @contextmanager
    def locked(self, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
        """Hold the lock; other processes and threads of this host wait for it.

        :param timeout: seconds to wait for it.
        :raises QuatrixTransportError: it was not to be had in time.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(self._lock_path, timeout=timeout, poll_interval=0.02, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            raise QuatrixTransportError(
                f"Another process of this host has been signing in to Quatrix for {timeout:.0f} s"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def attempts(self) -> tuple[float, ...]:
        """Return the Unix times of recent login attempts; call with the lock held."""
        try:
            return tuple(float(moment) for moment in json.loads(self._attempts_path.read_text()))
        except (OSError, ValueError, TypeError):
            return ()

    def write_attempts(self, attempts: Iterable[float]) -> None:
        """Keep the times of recent login attempts; call with the lock held."""
        self._attempts_path.write_text(json.dumps(list(attempts)))
