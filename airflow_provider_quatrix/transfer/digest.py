"""The digest of a file that is being moved, computed in another thread than the one that moves it."""

from __future__ import annotations

import hashlib
import os
import threading

from airflow_provider_quatrix.api.deadline import TICK
from airflow_provider_quatrix.api.stopping import check_stopped

_BLOCK = 256 * 1024
# Hashing takes about as long as moving. Below this size a thread costs more than it saves.
_WORTH_A_THREAD = 1024 * 1024


class FileDigest:
    """Follows a transfer through a file, from its first byte on; has to be closed.

    It reads again what has just been moved, and is still in memory. To pass the blocks on would cost more.

    :param fd: descriptor to read from; its own position is not used.
    :param size: bytes that the file will have.
    :param algorithm: of hashlib; ``None`` to read and hash nothing, which gives an empty digest.
    """

    def __init__(self, fd: int, size: int, algorithm: str | None = "sha256") -> None:
        self._fd = fd
        self._size = size
        self._hash = None if algorithm is None else hashlib.new(algorithm, usedforsecurity=False)
        self._at = 0
        self._reached = 0
        self._announced = 0
        self._closed = False
        self._error: OSError | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        if self._hash is not None and size >= _WORTH_A_THREAD:
            self._thread = threading.Thread(target=self._follow, name="quatrix-digest", daemon=True)
            self._thread.start()

    def reach(self, offset: int) -> None:
        """Allow all bytes ahead of an offset to be hashed; an offset below an earlier one changes nothing."""
        if offset - self._announced >= _WORTH_A_THREAD:
            self._announced = offset
            self._announce(offset)

    def up_to(self, offset: int) -> str:
        """Hash all bytes ahead of an offset.

        :param offset: no byte beyond it may have been allowed before.
        :return: their digest in hex.
        :raises OSError: the file could not be read.
        """
        if self._thread is None:
            self._hash_to(offset)
        else:
            self._announce(offset)
            with self._changed:
                while self._at < offset and self._error is None:
                    self._changed.wait(TICK)
                    check_stopped()
        return self._result()

    def finish(self) -> str:
        """Hash the rest of the file.

        :return: the digest in hex.
        :raises OSError: the file could not be read.
        """
        try:
            return self.up_to(self._size)
        finally:
            self.close()

    def _result(self) -> str:
        if self._error is not None:
            raise self._error
        return "" if self._hash is None else self._hash.copy().hexdigest()

    def close(self) -> None:
        """Stop, without reading the rest of the file."""
        if self._thread is not None:
            with self._changed:
                self._closed = True
                self._changed.notify()
            self._thread.join()

    def _announce(self, offset: int) -> None:
        with self._changed:
            self._reached = max(self._reached, offset)
            self._changed.notify()

    def _follow(self) -> None:
        while self._at < self._size:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._reached > self._at)
                if self._closed:
                    return
                end = self._reached
            try:
                self._hash_to(end)
            except OSError as error:
                self._error = error
            with self._changed:
                self._changed.notify()
            if self._error is not None:
                return

    def _hash_to(self, end: int) -> None:
        if self._hash is None:
            return
        while self._at < end and not self._closed:
            block = os.pread(self._fd, min(_BLOCK, end - self._at), self._at)
            if not block:
                raise OSError(f"the file ends at byte {self._at} instead of {self._size}")
            self._hash.update(block)
            self._at += len(block)
