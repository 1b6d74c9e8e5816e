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

from airflow_provider_quatrix.api.errors import QuatrixError, QuatrixTransportError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Longer than a sign-in takes with a fresh 2FA code to wait for, unless the service hangs.
LOCK_TIMEOUT = 300.0


def default_lock_dir() -> Path:
    """Return the folder for locks where the configuration names none: in the host's folder for temporary files."""
    return Path(tempfile.gettempdir()) / f"airflow-quatrix-{os.getuid()}"


class HostLedger:
    """One account's lock, login times and last 2FA step on this host. Holds nothing secret.

    :param folder: folder for locks; made if missing, closed to other users.
    :param base_url: the account's address.
    :param login: the user, as the service counts logins per user.
    """

    def __init__(self, folder: Path, base_url: str, login: str) -> None:
        name = hashlib.sha256(f"{base_url}\n{login.casefold()}".encode()).hexdigest()[:32]
        self._folder = folder
        self._lock_path = folder / f"{name}.lock"
        self._attempts_path = folder / f"{name}.logins"
        self._totp_path = folder / f"{name}.totp"

    @contextmanager
    def locked(self, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
        """Hold the lock; other processes and threads of this host wait for it.

        :param timeout: seconds to wait for it.
        :raises QuatrixTransportError: it was not to be had in time.
        :raises QuatrixError: the folder cannot be used.
        """
        self._open_folder()
        lock = FileLock(self._lock_path, timeout=timeout, poll_interval=0.02, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            raise QuatrixTransportError(
                f"Another process of this host has been signing in to Quatrix for {timeout:.0f} s"
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
            # In a folder for everybody's temporary files somebody else may have been there first.
            raise self._unusable("it belongs to another user")

    def _unusable(self, problem: str | None) -> QuatrixError:
        return QuatrixError(
            f"The folder for locks {self._folder} cannot be used ({problem}): set [quatrix] lock_dir to another one"
        )

    def attempts(self) -> tuple[float, ...]:
        """Return the Unix times of recent login attempts; call with the lock held."""
        try:
            return tuple(float(moment) for moment in json.loads(self._attempts_path.read_text()))
        except (OSError, ValueError, TypeError):
            return ()

    def write_attempts(self, attempts: Iterable[float]) -> None:
        """Keep the times of recent login attempts; call with the lock held."""
        self._write(self._attempts_path, list(attempts))

    def totp_step(self) -> int | None:
        """Return the step of the last TOTP code that any process of this host sent; call with the lock held."""
        try:
            return int(json.loads(self._totp_path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write_totp_step(self, step: int) -> None:
        """Keep the step of a TOTP code; call with the lock held."""
        self._write(self._totp_path, step)

    def _write(self, path: Path, value: object) -> None:
        """Replace a file as a whole, so that a process that is killed leaves no half of it."""
        new = path.with_suffix(f"{path.suffix}.new")
        try:
            new.unlink(missing_ok=True)
            new.write_text(json.dumps(value))
            new.replace(path)
        except OSError as error:
            raise self._unusable(error.strerror) from None
