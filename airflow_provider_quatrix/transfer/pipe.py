"""Writes the bytes of a transfer in another thread, so that reading and writing overlap."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from airflow_provider_quatrix.api.deadline import TICK
from airflow_provider_quatrix.api.stopping import check_stopped, stopped_by
from airflow_provider_quatrix.transfer.chunks import SMALLEST_CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.api.stopping import Stop

# If a thread hangs in a store, nobody waits for it any longer.
_END_SECONDS = 1.0


class Pipe:
    """Writes in a thread of its own; has to be closed.

    :param write: gets the blocks, one after the other.
    :param most: how many bytes may wait.
    """

    def __init__(self, write: Callable[[bytes], None], stop: Stop, most: int = SMALLEST_CHUNK) -> None:
        self._write = write
        self._stop = stop
        self._most = most
        self._blocks: list[bytes] = []
        self._waiting = 0
        self._busy = False
        self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="quatrix-pipe", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Pass on a block; waits while too many bytes are waiting.

        :raises Exception: the exception of an earlier write.
        """
        with self._changed:
            self._wait(lambda: not self._waiting or self._waiting + len(data) <= self._most)
            self._blocks.append(data)
            self._waiting += len(data)
            self._changed.notify_all()

    def drain(self) -> None:
        """Wait until everything is written.

        :raises Exception: the exception of a write.
        """
        with self._changed:
            self._wait(lambda: not self._blocks and not self._busy)

    def close(self) -> bool:
        """End the thread; waiting blocks are not written.

        :return: ``False`` if it hangs.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(_END_SECONDS)
        return not self._thread.is_alive()

    def _wait(self, ready: Callable[[], bool]) -> None:
        while self._error is None and not ready():
            self._changed.wait(TICK)
            check_stopped()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        with stopped_by(self._stop):
            while (data := self._next()) is not None:
                try:
                    self._write(data)
                except BaseException as error:  # noqa: BLE001 - the reading thread raises it
                    self._error = error
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
                if self._error is not None:
                    return

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._blocks or self._closed)
            if self._closed:
                return None
            self._busy = True
            # All waiting blocks at once, as a store may accept large blocks only.
            data = self._blocks[0] if len(self._blocks) == 1 else b"".join(self._blocks)
            self._blocks.clear()
            self._waiting = 0
            self._changed.notify_all()
            return data
