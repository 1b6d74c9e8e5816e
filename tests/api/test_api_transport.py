from __future__ import annotations

import base64
import gzip
import io
import logging
import re
import threading
import time
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3
from forked import status_of_child
from http_servers import OK, ScriptedServer, answer, unused_port
from noting_guard import NotingGuard

from airflow_provider_quatrix import __version__, api
from airflow_provider_quatrix.api import FixedSession, QuatrixClient, SessionCalls, Transport
from airflow_provider_quatrix.api.auth import Credentials
from airflow_provider_quatrix.api.deadline import DeadlineAdapter, answers_by
from airflow_provider_quatrix.api.errors import TransportStage
from airflow_provider_quatrix.api.messages import Repeat, Request
from airflow_provider_quatrix.api.redirects import next_url
from airflow_provider_quatrix.api.retry import RetryPolicy
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient

ONCE = RetryPolicy(deadline=5.0, attempts=1)
BRIEF = RetryPolicy(deadline=0.4, attempts=3, first_pause=0.01)
PING = Request("GET", "session/keepalive")
TOKEN = {"X-Auth-Token": "0b3f2a6e-7d0c-4d5e-9a51-3f6f2f0d9c11"}
BASIC = base64.b64encode(f"{EMAIL}:{PASSWORD}".encode()).decode()


def transport(url: str, **kwargs: Any) -> Transport:
    return Transport(url, **({"policy": ONCE} | kwargs))


def login(over: Transport) -> str:
    return SessionCalls(over).login(Credentials(EMAIL, PASSWORD))


def raw(reply: bytes) -> ScriptedServer:
    return ScriptedServer(lambda connection, _: connection.sendall(reply))


# TLS


def test_the_given_authority_is_trusted(quatrix_emulator_tls: EmulatorClient) -> None:
    assert login(transport(quatrix_emulator_tls.url, verify=quatrix_emulator_tls.ca_file))


def other_authority(folder: Path) -> str:
    import trustme

    path = folder / "other-ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return str(path)


def test_another_authority_is_not(quatrix_emulator_tls: EmulatorClient, tmp_path: Path) -> None:
    for verify in (True, other_authority(tmp_path)):
        over = transport(quatrix_emulator_tls.url, verify=verify, policy=RetryPolicy())
        with pytest.raises(api.QuatrixTransportError, match="give the file of the CA") as error:
            login(over)
        assert error.value.stage is TransportStage.TLS
        assert "CERTIFICATE_VERIFY_FAILED" in str(error.value)
    assert quatrix_emulator_tls.requests == 0


def test_not_to_verify_is_warned_of_once(
    quatrix_emulator_tls: EmulatorClient, caplog: pytest.LogCaptureFixture
) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        over = transport(quatrix_emulator_tls.url, verify=False)
        session_id = login(over)
        QuatrixClient(over, FixedSession(session_id)).keepalive()
    assert [str(warning.message) for warning in seen if "Unverified" in str(warning.message)] == []
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 1
    assert "not verified" in said[0].getMessage()
    assert quatrix_emulator_tls.url in said[0].getMessage()


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_connections_authority_goes_before_the_environments(
    quatrix_emulator_tls: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, other_authority(tmp_path))
    assert login(transport(quatrix_emulator_tls.url, verify=quatrix_emulator_tls.ca_file))
    assert login(transport(quatrix_emulator_tls.url, verify=False))


def test_the_environments_authority_counts_where_the_connection_names_none(
    quatrix_emulator_tls: EmulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(quatrix_emulator_tls.ca_file))
    assert login(transport(quatrix_emulator_tls.url))


def test_a_missing_authority_file_is_named(quatrix_emulator_tls: EmulatorClient, tmp_path: Path) -> None:
    with pytest.raises(api.QuatrixTransportError, match="correct `verify`") as error:
        login(transport(quatrix_emulator_tls.url, verify=str(tmp_path / "none.pem"), policy=RetryPolicy()))
    assert error.value.stage is TransportStage.TLS


def test_a_file_that_is_no_certificate_is_a_tls_failure(quatrix_emulator_tls: EmulatorClient, tmp_path: Path) -> None:
    (tmp_path / "odd.pem").write_text("hello")
    with pytest.raises(api.QuatrixTransportError) as error:
        login(transport(quatrix_emulator_tls.url, verify=str(tmp_path / "odd.pem"), policy=RetryPolicy()))
    assert error.value.stage is TransportStage.TLS


def test_https_to_a_plain_server_is_a_tls_failure() -> None:
    plain = ScriptedServer(lambda connection, _: connection.sendall(answer("400 Bad Request")), speaks_http=False)
    with plain, pytest.raises(api.QuatrixTransportError) as error:
        transport(f"https://127.0.0.1:{plain.port}").send(PING, TOKEN)
    assert error.value.stage is TransportStage.TLS


def test_a_connection_cut_under_tls_is_no_bad_certificate(quatrix_emulator_tls: EmulatorClient) -> None:
    over = transport(quatrix_emulator_tls.url, verify=quatrix_emulator_tls.ca_file)
    quatrix_emulator_tls.fault("session/keepalive", cut="connection")
    with pytest.raises(api.QuatrixTransportError, match="broke before the response") as error:
        over.send(PING, TOKEN)
    assert error.value.stage is TransportStage.SENT


def test_a_server_that_hangs_up_in_the_handshake_is_no_bad_certificate() -> None:
    rude = ScriptedServer(lambda *_: None, speaks_http=False)
    with rude, pytest.raises(api.QuatrixTransportError) as error:
        transport(f"https://127.0.0.1:{rude.port}").send(PING, TOKEN)
    assert error.value.stage is TransportStage.SENT


# Credentials


def test_netrc_is_never_used(quatrix_emulator: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login somebody password else\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    session_id = login(transport(quatrix_emulator.url))
    assert quatrix_emulator.counters["rejected_logins"] == 0
    with raw(OK) as server:
        transport(server.url).send(PING, {"X-Auth-Token": session_id})
    assert "authorization" not in server.heads[0].lower()


def test_cookies_are_not_kept() -> None:
    with raw(answer("200 OK", Set_Cookie="sid=1; Path=/")) as server:
        over = transport(server.url)
        over.send(PING, TOKEN)
        over.send(PING, TOKEN)
    assert len(server.heads) == 2
    assert "cookie" not in "".join(server.heads).lower()


def test_the_user_agent_names_the_product() -> None:
    with raw(OK) as server:
        transport(server.url, user_agent="apache-airflow/9").send(PING, TOKEN)
        transport(server.url).send(PING, TOKEN)
    agents = re.findall(r"User-Agent: (.*)\r", "".join(server.heads))
    assert agents[0].startswith(f"apache-airflow/9 airflow-provider-quatrix/{__version__} Python/3.")
    assert agents[1].startswith(f"airflow-provider-quatrix/{__version__} ")


def test_credentials_that_no_header_can_hold_are_not_repeated(quatrix_emulator: EmulatorClient) -> None:
    for value in ("secret\nkey", "secret–key"):  # noqa: RUF001 - a dash that Latin-1 lacks
        with pytest.raises(api.QuatrixTransportError, match="cannot be sent") as error:
            transport(quatrix_emulator.url, policy=RetryPolicy()).send(PING, {"Authorization": f"Bearer {value}"})
        assert error.value.stage is TransportStage.SETTINGS
        assert "secret" not in f"{error.value!r} {error.value.__cause__!r}"
        assert error.value.__suppress_context__
    assert quatrix_emulator.requests == 0


# Connections


def test_calls_share_one_connection() -> None:
    with raw(answer("200 OK", b'{"a": 1}')) as server:
        over = transport(server.url)
        for _ in range(5):
            over.send(PING, TOKEN)
        over.close()
    assert len(server.heads) == 5
    assert server.connections == 1


def test_a_connection_that_the_server_ended_meanwhile_costs_no_failure() -> None:
    def answering(connection: socket.socket, _: str) -> None:
        connection.sendall(OK)
        connection.close()

    with ScriptedServer(answering) as server:
        over = transport(server.url)
        over.send(Request("GET", "x", repeat=Repeat.UNSENT), TOKEN)
        while server.connections < 1:
            time.sleep(0.01)
        time.sleep(0.05)
        over.send(Request("GET", "x", repeat=Repeat.UNSENT), TOKEN)
    assert server.connections == 2


def test_threads_share_a_client(quatrix_emulator: EmulatorClient) -> None:
    over = transport(quatrix_emulator.url)
    client = QuatrixClient(over, FixedSession(login(over)))
    emails: list[str] = []
    threads = [
        threading.Thread(target=lambda: [emails.append(client.profile().email) for _ in range(5)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert emails == [EMAIL] * 40


def test_a_forked_child_opens_connections_of_its_own() -> None:
    with raw(OK) as server:
        over = transport(server.url)
        over.send(PING, TOKEN)
        assert status_of_child(lambda: over.send(PING, TOKEN)) == 0
        over.send(PING, TOKEN)
    assert len(server.heads) == 3
    assert server.connections == 2


@pytest.mark.parametrize("url", ["http://a..b", "http://" + "a" * 70 + ".example", "ftp://127.0.0.1", "http://[::1"])
def test_an_address_that_is_none_is_told_at_once(url: str) -> None:
    with pytest.raises(api.QuatrixTransportError, match="check the host") as error:
        Transport(url).send(PING, TOKEN)
    assert error.value.stage is TransportStage.SETTINGS


def test_an_unknown_host_cannot_be_reached() -> None:
    with pytest.raises(api.QuatrixTransportError, match="cannot be reached: Failed to resolve") as error:
        transport("http://no-such-host.invalid").send(PING, TOKEN)
    assert error.value.stage is TransportStage.ADDRESS


def test_a_closed_port_cannot_be_reached() -> None:
    port = unused_port()
    guard = NotingGuard()
    call = Request(
        "GET",
        "x",
        repeat=Repeat.UNSENT,
        guard=guard,
    )
    with pytest.raises(api.QuatrixTransportError) as error:
        transport(f"http://127.0.0.1:{port}", policy=RetryPolicy(attempts=2, first_pause=0.01)).send(call, TOKEN)
    assert str(error.value) == (
        f"http://127.0.0.1:{port} cannot be reached: "
        "Failed to establish a new connection: [Errno 111] Connection refused"
    )
    assert guard.noted == ["try", "unsent"] * 2


def counted(over: Transport, repeat: Repeat = Repeat.SAFE, path: str = "x") -> tuple[list[str], api.QuatrixError]:
    """Send a call that fails, and return what was noted of its tries."""
    guard = NotingGuard()
    call = Request(
        "GET",
        path,
        repeat=repeat,
        guard=guard,
    )
    with pytest.raises(api.QuatrixError) as error:
        over.send(call, TOKEN)
    return guard.noted, error.value


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"nonsense\r\n\r\n",
        answer("401 No", b"{}", Content_Length="500"),
        answer("200 OK", b"<html>"),
        answer("302 Found", Location="http://[::1"),
    ],
    ids=["nothing", "nonsense", "two lengths", "page", "bad redirect"],
)
def test_what_was_answered_was_sent(reply: bytes) -> None:
    def answering(connection: socket.socket, _: str) -> None:
        connection.sendall(reply)
        connection.shutdown(1)

    with ScriptedServer(answering) as server:
        noted, error = counted(transport(server.url))
    assert noted == ["try"]
    assert len(server.heads) == 1
    if isinstance(error, api.QuatrixTransportError):
        assert (error.stage, error.sent) == (TransportStage.SENT, True)


@pytest.mark.parametrize("repeat", Repeat)
def test_a_redirect_that_leads_nowhere_was_answered_all_the_same(repeat: Repeat) -> None:
    def answering(connection: socket.socket, _: str) -> None:
        to = f"https://127.0.0.1:{server.port}/api/1.0/x"
        connection.sendall(answer("301 Moved", Location=to, Connection="close"))

    with ScriptedServer(answering) as server:
        noted, error = counted(transport(server.url, policy=RetryPolicy(first_pause=0.01)), repeat)
    assert isinstance(error, api.QuatrixTransportError)
    assert (error.stage, error.sent) == (TransportStage.TLS, True)
    assert noted == ["try"]


def test_a_redirect_to_where_nobody_listens_any_more_is_no_reason_to_send_a_code_again() -> None:
    def answering(connection: socket.socket, _: str) -> None:
        server.stop_listening()
        connection.sendall(answer("307 Moved", Location="/elsewhere", Connection="close"))

    with ScriptedServer(answering) as server:
        over = transport(server.url, policy=RetryPolicy(attempts=3, first_pause=0.01))
        noted, error = counted(over, Repeat.UNSENT)
    assert isinstance(error, api.QuatrixTransportError)
    assert (error.stage, error.sent) == (TransportStage.ADDRESS, True)
    assert noted == ["try"]
    assert len(server.heads) == 1


def test_what_ends_in_the_handshake_was_not_sent() -> None:
    rude = ScriptedServer(lambda *_: None, speaks_http=False)
    with rude:
        over = transport(f"https://127.0.0.1:{rude.port}", policy=RetryPolicy(attempts=2, first_pause=0.01))
        noted, error = counted(over, Repeat.UNSENT)
    assert isinstance(error, api.QuatrixTransportError)
    assert (error.stage, error.sent) == (TransportStage.SENT, False)
    assert noted == ["try", "unsent"] * 2


def test_what_cannot_be_sent_was_not() -> None:
    assert counted(transport("http://a..b"))[0] == ["try", "unsent"]
    assert counted(transport("http://127.0.0.1:1"), path="http://[::1")[0] == ["try", "unsent"]


# Redirects


def test_a_redirect_to_another_host_is_not_followed() -> None:
    with raw(OK) as other, raw(answer("302 Found", Location=f"{other.url}/api/1.0/session/keepalive")) as server:
        with pytest.raises(api.QuatrixResponseError, match="set it as the connection's host") as error:
            transport(server.url).send(PING, TOKEN)
        with pytest.raises(api.QuatrixResponseError):
            transport(server.url).send(PING, {"Authorization": "Basic eA=="})
    assert other.heads == []
    assert error.value.status == 302
    assert "http://127.0.0.1" in str(error.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_that_takes_off_the_encryption_is_not_followed(
    quatrix_emulator_tls: EmulatorClient, status: int
) -> None:
    with raw(OK) as plain:
        to = f"{plain.url}/api/1.0/session/keepalive"
        quatrix_emulator_tls.fault("session/keepalive", status=status, headers={"Location": to})
        over = transport(quatrix_emulator_tls.url, verify=quatrix_emulator_tls.ca_file)
        with pytest.raises(api.QuatrixResponseError, match=r"redirects to http://127\.0\.0\.1, where no credentials"):
            over.send(PING, TOKEN)
    assert plain.connections == 0


@pytest.mark.parametrize(
    ("url", "location", "followed"),
    [
        ("https://acme.quatrix.it/a", "/b", "https://acme.quatrix.it/b"),
        ("https://acme.quatrix.it/a", "https://ACME.quatrix.it:443/b", "https://ACME.quatrix.it:443/b"),
        ("http://acme.quatrix.it/a", "https://acme.quatrix.it/a", "https://acme.quatrix.it/a"),
        ("http://acme.quatrix.it:8580/a", "https://acme.quatrix.it:8580/a", "https://acme.quatrix.it:8580/a"),
        ("http://acme.quatrix.it:8580/a", "https://acme.quatrix.it/a", None),
        ("https://acme.quatrix.it/a", "http://acme.quatrix.it/a", None),
        ("https://acme.quatrix.it:8443/a", "http://acme.quatrix.it:8443/a", None),
        ("https://acme.quatrix.it:80/a", "http://acme.quatrix.it/a", None),
        ("https://acme.quatrix.it/a", "//acme.quatrix.it:8443/a", None),
        ("https://acme.quatrix.it/a", "https://login.quatrix.it/a", None),
    ],
)
def test_credentials_stay_on_the_host_and_encrypted(url: str, location: str, followed: str | None) -> None:
    if followed is not None:
        assert next_url("GET", url, 302, location) == followed
        return
    with pytest.raises(api.QuatrixResponseError, match="where no credentials are sent") as error:
        next_url("GET", url, 302, location)
    assert error.value.status == 302


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (307, "POST"), (308, "POST")])
def test_a_redirect_on_the_same_host_is_followed(status: int, method: str) -> None:
    def answering(connection: socket.socket, head: str) -> None:
        connection.sendall(OK if "/elsewhere" in head else answer(f"{status} Moved", Location="/elsewhere"))

    with ScriptedServer(answering) as server:
        assert transport(server.url).send(Request(method, "x", json={"a": 1}), TOKEN).status == 200
    assert [head.split()[1] for head in server.heads] == ["/api/1.0/x", "/elsewhere"]
    assert all(TOKEN["X-Auth-Token"] in head for head in server.heads)
    assert all('{"a": 1}' in head for head in server.heads)


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_would_turn_a_post_into_a_get_is_not_followed(status: int) -> None:
    with raw(answer(f"{status} Moved", Location="/elsewhere")) as server, pytest.raises(api.QuatrixResponseError):
        transport(server.url).send(Request("POST", "x", json={}), TOKEN)
    assert len(server.heads) == 1


@pytest.mark.parametrize(
    "location", ["http://[::1", "http://127.0.0.1:99999/", "ftp://127.0.0.1/", "http://user:pw@127.0.0.1/"]
)
def test_an_odd_redirect_is_a_clear_error(location: str) -> None:
    with raw(answer("302 Found", Location=location)) as server, pytest.raises(api.QuatrixResponseError) as error:
        transport(server.url).send(PING, TOKEN)
    assert "redirects to" in str(error.value)
    assert "pw" not in str(error.value)
    assert len(server.heads) == 1


def test_the_body_of_a_redirect_is_not_read() -> None:
    def answering(connection: socket.socket, head: str) -> None:
        if "/elsewhere" in head:
            connection.sendall(OK)
        else:
            drip(connection, b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 100000\r\n\r\n")

    with ScriptedServer(answering) as server:
        assert transport(server.url, policy=BRIEF).send(PING, TOKEN).status == 200


def test_redirects_in_circles_end() -> None:
    with (
        raw(answer("302 Found", Location="/api/1.0/x")) as server,
        pytest.raises(api.QuatrixResponseError, match="in circles"),
    ):
        transport(server.url).send(PING, TOKEN)
    assert len(server.heads) == 6


# Answers that do not come as they should


def drip(connection: socket.socket, data: bytes, rest: bytes = b"x") -> None:
    with suppress(OSError):
        connection.sendall(data)
        for _ in range(300):
            connection.sendall(rest)
            time.sleep(0.02)


DRIPS = {
    "status line": b"",
    "headers": b"HTTP/1.1 200 OK\r\nX-Slow: ",
    "body": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
    "body without length": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    "refusal": b"HTTP/1.1 500 No\r\nContent-Length: 100000\r\n\r\n",
}


@pytest.mark.parametrize(
    ("method", "where"),
    # The body of an opened answer is its reader's business.
    [(method, where) for method in ("send", "open") for where in DRIPS if method == "send" or "body" not in where],
)
def test_a_server_that_drips_is_cut_off(method: str, where: str) -> None:
    over_after: list[bool] = []

    def answering(connection: socket.socket, _: str) -> None:
        drip(connection, DRIPS[where])
        over_after.append(True)

    with ScriptedServer(answering) as server:
        over = transport(server.url, policy=BRIEF, read_timeout=5.0)
        with pytest.raises(api.QuatrixError) as error:
            getattr(over, method)(PING, TOKEN)
        # The drip lasts 6 s; the deadline has cut it off long before its end.
        assert over_after == []
    assert isinstance(error.value, api.QuatrixTransportError | api.QuatrixResponseError)
    assert len(server.heads) == 1


def test_an_opened_answer_is_read_without_the_deadline() -> None:
    def answering(connection: socket.socket, _: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for _ in range(6):
            time.sleep(0.1)
            connection.sendall(b"x")

    with ScriptedServer(answering) as server, transport(server.url, policy=BRIEF).open(PING, TOKEN) as response:
        assert response.raw.read() == b"xxxxxx"


def test_time_that_is_up_is_up_for_what_has_come_already() -> None:
    # More than what is read together with the head.
    with requests.Session() as session, raw(answer("200 OK", b"x" * 1_000_000)) as server:
        session.mount("http://", DeadlineAdapter())
        response = session.get(server.url, timeout=5, stream=True)
        with response, answers_by(time.monotonic() - 1), pytest.raises(urllib3.exceptions.ReadTimeoutError):
            response.raw.read()
        with answers_by(time.monotonic() - 1), pytest.raises(requests.ConnectionError, match="timed out"):
            session.get(server.url, timeout=5)
        assert session.get(server.url, timeout=5).ok
    assert len(server.heads) == 2


def test_a_server_that_takes_a_body_too_slowly_is_cut_off() -> None:
    """Each block that it takes would give it as long again, by the connection's own time limit."""
    took: list[int] = []

    def taking(connection: socket.socket, _: str) -> None:
        with suppress(OSError):
            for _ in range(300):
                took.append(len(connection.recv(65536)))
                time.sleep(0.02)

    size = 32 * 1024 * 1024
    # Its declared size is left out, as it would add half an hour.
    call = Request("POST", "x", body=lambda: Sized(size), repeat=Repeat.SAFE)
    with ScriptedServer(taking, speaks_http=False) as server, pytest.raises(api.QuatrixTransportError) as error:
        transport(server.url, policy=BRIEF).send(call, TOKEN)
    assert error.value.sent
    assert len(took) < 300
    assert server.connections == 1


class Sized(io.BytesIO):
    """So many bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(b"x" * size)
        self._size = size

    def __len__(self) -> int:
        return self._size


def test_a_large_body_gets_the_time_that_it_needs() -> None:
    def answering(connection: socket.socket, _: str) -> None:
        time.sleep(0.4)
        connection.sendall(OK)

    size = 64 * 1024
    policy = RetryPolicy(deadline=0.1, attempts=1)
    with ScriptedServer(answering) as server:
        over = transport(server.url, policy=policy)
        assert over.send(Request("POST", "x", body=lambda: Sized(size), body_size=size), TOKEN).status == 200
        with pytest.raises(api.QuatrixTransportError):
            over.send(Request("POST", "x", body=lambda: Sized(size)), TOKEN)


def test_a_limit_ends_with_its_block_and_is_the_threads_own() -> None:
    def answering(connection: socket.socket, _: str) -> None:
        time.sleep(0.3)
        connection.sendall(OK)

    with requests.Session() as session, ScriptedServer(answering) as server:
        session.mount("http://", DeadlineAdapter())
        with answers_by(time.monotonic() + 60):
            with answers_by(time.monotonic() + 0.1), pytest.raises(requests.ReadTimeout):
                session.get(server.url, timeout=None)
            assert session.get(server.url, timeout=None).ok
            other: list[int] = []
            with answers_by(time.monotonic() + 0.01):
                thread = threading.Thread(target=lambda: other.append(session.get(server.url).status_code))
                thread.start()
                thread.join()
    assert other == [200]


def test_a_silent_server_is_given_up() -> None:
    hold = threading.Event()
    with ScriptedServer(lambda *_: hold.wait(20)) as server:
        with pytest.raises(api.QuatrixTransportError, match=r"did not answer within the time limit \(0.1 s\)") as error:
            transport(server.url, read_timeout=0.1).send(PING, TOKEN)
        hold.set()
    assert error.value.stage is TransportStage.SENT


def test_an_endless_body_ends() -> None:
    sent = [0]

    def answering(connection: socket.socket, _: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        with suppress(OSError):
            while sent[0] < 500_000_000:
                connection.sendall(b"x" * 65536)
                sent[0] += 65536

    with ScriptedServer(answering) as server, pytest.raises(api.QuatrixResponseError, match="does not end") as error:
        transport(server.url, largest_response=1_000_000).send(PING, TOKEN)
    assert not error.value.cut
    assert sent[0] < 100_000_000


def test_a_body_that_unpacks_without_end_ends() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with (
        raw(answer("200 OK", bomb, Content_Encoding="gzip")) as server,
        pytest.raises(api.QuatrixResponseError, match="does not end"),
    ):
        transport(server.url, largest_response=1_000_000).send(PING, TOKEN)


@pytest.mark.parametrize(
    ("reply", "cut"),
    [
        (b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"session_id"', True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{'a':\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", True),
        (answer("200 OK", b"<html>Welcome to the airport</html>"), False),
        (answer("200 OK", b"\xff\xfe"), False),
        (answer("200 OK", b"[" * 100_000), False),
    ],
)
def test_answers_cut_short_or_not_json(reply: bytes, cut: bool) -> None:
    def answering(connection: socket.socket, _: str) -> None:
        connection.sendall(reply)
        connection.shutdown(1)

    with ScriptedServer(answering) as server, pytest.raises(api.QuatrixResponseError) as error:
        transport(server.url).send(PING, TOKEN)
    assert (error.value.status, error.value.cut) == (200, cut)


@pytest.mark.parametrize(
    "reply", [b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n", b"\x16\x03\x01" + b"\0" * 70_000]
)
def test_what_is_no_http_is_a_broken_connection(reply: bytes) -> None:
    def answering(connection: socket.socket, _: str) -> None:
        connection.sendall(reply)
        connection.shutdown(1)

    with ScriptedServer(answering) as server, pytest.raises(api.QuatrixTransportError) as error:
        transport(server.url).send(PING, TOKEN)
    assert error.value.stage is TransportStage.SENT


def test_each_further_try_is_told_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    replies = iter([answer("503 No", f'{{"msg": "no {TOKEN["X-Auth-Token"]}"}}'.encode(), Retry_After="7"), OK])
    pauses: list[float] = []
    with caplog.at_level(logging.INFO), ScriptedServer(lambda c, _: c.sendall(next(replies))) as server:
        over = transport(server.url, policy=RetryPolicy(), sleep=pauses.append)
        assert over.send(PING, TOKEN).status == 200
    assert pauses == [7.0]
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("airflow_provider_quatrix")]
    assert lines == ["no *** (HTTP 503); trying again in 7.0 s"]


def test_a_page_may_say_when_to_ask_again_too() -> None:
    replies = iter([answer("503 No", b"<html>Busy</html>", Retry_After="7"), OK])
    pauses: list[float] = []
    with ScriptedServer(lambda connection, _: connection.sendall(next(replies))) as server:
        transport(server.url, policy=RetryPolicy(), sleep=pauses.append).send(PING, TOKEN)
    assert pauses == [7.0]


def test_a_transport_shows_its_address_only() -> None:
    over = Transport("https://acme.quatrix.it/", proxy="http://u:secret-pw@127.0.0.1:1")
    assert repr(over) == "Transport('https://acme.quatrix.it')"
    assert "secret-pw" not in repr(vars(over)["redactor"])
