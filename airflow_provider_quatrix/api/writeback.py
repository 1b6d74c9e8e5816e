"""Brings a file to the disk while it is still being written, so that there is little to wait for at its end."""

from __future__ import annotations

import os
import threading

_STEP = 64 * 1024 * 1024


class Writeback:
    """Syncs a file in a thread of its own whenever enough has been written; to be finished.

    :param fd: descriptor of the file.
    :param step: bytes after which it is worth while.
    """

    def __init__(self, fd: int, step: int = _STEP) -> None:
        self._fd = fd
        self._step = step
        self._begun = 0
        self._thread: threading.Thread | None = None
        # The system tells of a failed write only once.
        self._error: OSError | None = None

    def reach(self, offset: int) -> None:
        """Begin to sync what is ahead of an offset, unless little was added or an earlier sync still runs."""
        if offset - self._begun < self._step or (self._thread is not None and self._thread.is_alive()):
            return
        self._begun = offset
        self._thread = threading.Thread(target=self._sync, name="quatrix-writeback", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Sync the rest.

        :raises OSError: the file, or a part of it, could not be written.
        """
        self.close()
        os.fsync(self._fd)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Wait for what has begun."""
        if self._thread is not None:
            self._thread.join()

    def _sync(self) -> None:
        try:
            os.fsync(self._fd)
        except OSError as error:
            self._error = error
