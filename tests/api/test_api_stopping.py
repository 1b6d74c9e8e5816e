"""Transfers that shall stop, and connections over which bytes merely trickle."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from http_servers import ScriptedServer, answer

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api.deadline import TICK, answers_by
from airflow_provider_quatrix.api.errors import QuatrixError, QuatrixTransportError
from airflow_provider_quatrix.api.messages import Request
from airflow_provider_quatrix.api.retry import RetryPolicy
from airflow_provider_quatrix.api.stopping import (
    Stop,
    TransferStoppedError,
    TransferTooSlowError,
    TransferWatch,
    check_stopped,
    cleaning_up,
    sleep,
    stopped_by,
)
from airflow_provider_quatrix.api.transport import Transport

if TYPE_CHECKING:
    import socket

AT_ONCE = RetryPolicy(first_pause=0.001, longest_pause=0.001)
ONCE = RetryPolicy(attempts=1)


class Zeros:
    """A large body, which notes how much of it was read."""

    def __init__(self, size: int) -> None:
        self._left = self._size = size

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1, /) -> bytes:
        data = bytes(min(size, self._left))
        self._left -= len(data)
        return data


def test_a_rate_is_measured_over_the_window() -> None:
    watch = TransferWatch(Stop(), lowest_rate=100)
    for _ in range(50):
        watch.moved(100, 1.0, 10.0)
    for _ in range(9):
        watch.moved(0, 1.0, 10.0)
    with pytest.raises(TimeoutError, match="too slow"):
        watch.moved(999, 1.0, 10.0)
    # The next connection begins with nothing held against it, but for this being the second.
    for _ in range(9):
        watch.moved(0, 1.0, 10.0)
    with pytest.raises(TransferTooSlowError, match="fewer than 100 bytes a second came through for 10 s"):
        watch.moved(999, 1.0, 10.0)


def test_connections_that_are_fast_for_long_make_up_for_one_that_was_not() -> None:
    watch = TransferWatch(Stop(), lowest_rate=100)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            watch.moved(0, 10.0, 10.0)
        for _ in range(10):
            watch.moved(1000, 10.0, 10.0)


def test_a_connection_that_may_be_silent_for_ever_has_no_lowest_rate() -> None:
    TransferWatch(Stop()).moved(0, 1e9, None)


def test_a_body_that_is_taken_in_driblets_is_given_up() -> None:
    connections = []
    done = threading.Event()

    def taking(connection: socket.socket, _: str) -> None:
        connections.append(connection)
        while not done.wait(0.1):
            connection.recv(1)

    with ScriptedServer(taking, speaks_http=False) as server:
        over = Transport(server.url, read_timeout=0.6, policy=AT_ONCE)
        size = 64 * 1024 * 1024
        with stopped_by(Stop()), pytest.raises(TransferTooSlowError):
            over.send(Request("POST", "x", body=lambda: Zeros(size), body_size=size), {})
        done.set()
    assert len(connections) == 2


def test_an_answer_that_pauses_longer_than_a_watched_thread_waits_at_a_time_comes_whole() -> None:
    def pausing(connection: socket.socket, _: str) -> None:
        whole = answer("200 OK", b'{"a": 1}')
        connection.sendall(whole[:-4])
        threading.Event().wait(2.5 * TICK)
        connection.sendall(whole[-4:])

    with ScriptedServer(pausing) as server, stopped_by(Stop()):
        assert Transport(server.url, policy=ONCE).send(Request("GET", "x"), {}).json() == {"a": 1}


@pytest.mark.parametrize("where", ["while sending", "while waiting for the answer"])
def test_a_call_ends_when_its_transfer_shall(where: str) -> None:
    stop, done = Stop(), threading.Event()
    size = 64 * 1024 * 1024 if where == "while sending" else 10

    def silent(_: socket.socket, __: str) -> None:
        stop.set()
        done.wait(30)

    with ScriptedServer(silent, speaks_http=False) as server:
        over = Transport(server.url)
        with stopped_by(stop), pytest.raises(TransferStoppedError):
            over.send(Request("POST", "x", body=lambda: Zeros(size), body_size=size), {})
        done.set()
        # What belongs to no transfer is not stopped.
        check_stopped()
    assert server.connections == 1


def test_waiting_for_another_try_ends_when_its_transfer_shall() -> None:
    stop = Stop()

    def busy(connection: socket.socket, _: str) -> None:
        connection.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 100\r\n\r\n")
        stop.set()

    with ScriptedServer(busy) as server, stopped_by(stop), pytest.raises(TransferStoppedError):
        api.QuatrixClient(Transport(server.url), api.ApiKeyAuthorizer("key-1")).profile()
    assert len(server.heads) == 1


def test_no_pause_goes_beyond_a_limit() -> None:
    with answers_by(time.monotonic() + 1), pytest.raises(TimeoutError, match="no time left"):
        sleep(2)
    sleep(0)


def test_cleaning_up_goes_on_after_a_stop_but_not_for_long() -> None:
    stop = Stop()
    stop.set()
    reached = []
    with stopped_by(stop):
        with cleaning_up():
            check_stopped()
            reached.append(1)
            raise QuatrixTransportError("left")
        with cleaning_up():
            reached.append(2)
            sleep(60)
        with pytest.raises(TransferStoppedError):
            check_stopped()
    assert reached == [1, 2]
    with pytest.raises(ValueError, match="of ours"), cleaning_up():
        raise ValueError("of ours")
    assert issubclass(TransferStoppedError, QuatrixError)
