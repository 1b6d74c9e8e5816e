from __future__ import annotations

import base64
import gc
import logging
import sys
import time
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from http_servers import OK, ForwardProxy, ScriptedServer, unused_port
from noting_guard import NotingGuard

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api import Transport
from airflow_provider_quatrix.api.errors import TransportStage
from airflow_provider_quatrix.api.messages import Request
from airflow_provider_quatrix.api.retry import RetryPolicy

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from airflow_provider_quatrix.emulator.client import EmulatorClient

PING = Request("GET", "session/keepalive")
TOKEN = {"X-Auth-Token": "a-session-id"}
POLICY = RetryPolicy(deadline=5.0, attempts=1)
GREETING = "Basic " + base64.b64encode(b"me:pa/ss+word").decode()


@pytest.fixture(autouse=True)
def no_proxy_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def closed_tunnels() -> Iterator[None]:
    """Close what Python before 3.11.4 leaves open of a tunnel, unless a newer urllib3 makes tunnels itself."""
    yield
    if sys.version_info < (3, 11, 4):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.fixture
def service() -> Iterator[ScriptedServer]:
    with ScriptedServer(lambda connection, _: connection.sendall(OK)) as server:
        yield server


def test_the_connections_proxy_sees_the_call(service: ScriptedServer) -> None:
    with ForwardProxy() as proxy:
        Transport(service.url, proxy=proxy.url, policy=POLICY).send(PING, TOKEN)
    assert proxy.asked == [f"GET {service.url}/api/1.0/session/keepalive"]
    assert len(service.heads) == 1


def test_the_environments_proxy_is_used_where_the_connection_names_none(
    service: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ForwardProxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        Transport(service.url, policy=POLICY).send(PING, TOKEN)
        assert len(proxy.asked) == 1
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        Transport(service.url, policy=POLICY).send(PING, TOKEN)
    assert len(proxy.asked) == 1
    assert len(service.heads) == 2


def test_the_connections_proxy_goes_before_the_environments(
    service: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ForwardProxy() as proxy:
        Transport(service.url, proxy=proxy.url, policy=POLICY).send(PING, TOKEN)
    assert len(proxy.asked) == 1


def test_https_goes_through_a_tunnel_that_sees_no_token(quatrix_emulator_tls: EmulatorClient) -> None:
    url = quatrix_emulator_tls.url
    with ForwardProxy() as proxy:
        over = Transport(url, proxy=proxy.url, verify=quatrix_emulator_tls.ca_file, policy=POLICY)
        with pytest.raises(api.QuatrixSessionExpired):
            over.send(PING, TOKEN)
        over.close()
    assert proxy.asked == [f"CONNECT {url.removeprefix('https://')}"]
    assert quatrix_emulator_tls.requests == 1


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_proxys_password_is_sent_and_never_shown(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    shown: list[str] = []
    with caplog.at_level(logging.DEBUG), ForwardProxy(wants="nothing that anybody has") as proxy:
        with_password = proxy.url.replace("://", "://me:pa%2Fss%2Bword@")
        over = Transport(f"{scheme}://acme.example", proxy=with_password, policy=POLICY)
        with pytest.raises(api.QuatrixError) as error:
            over.send(PING, TOKEN)
        shown += [str(error.value), repr(error.value), repr(over), caplog.text]
    assert set(proxy.greetings) == {GREETING}
    assert [text for text in shown for secret in ("pa%2Fss", "pa/ss", GREETING[6:]) if secret in text] == []
    if scheme == "https":
        assert isinstance(error.value, api.QuatrixTransportError)
        assert error.value.stage is TransportStage.PROXY
    else:
        assert isinstance(error.value, api.QuatrixApiError)
        assert error.value.status == 407


def test_a_proxy_that_is_down_is_named_as_such() -> None:
    over = Transport("http://acme.example", proxy=f"http://me:pa55word@127.0.0.1:{unused_port()}", policy=POLICY)
    with pytest.raises(api.QuatrixTransportError, match=r"The proxy to http://acme\.example failed") as error:
        over.send(PING, TOKEN)
    assert error.value.stage is TransportStage.PROXY
    assert "pa55word" not in repr(error.value)


def test_a_tunnel_that_is_refused_sent_nothing_but_the_wish_for_it() -> None:
    guard = NotingGuard()
    call = Request("GET", "x", guard=guard)
    with ForwardProxy(wants="nothing that anybody has") as proxy:
        with pytest.raises(api.QuatrixTransportError) as error:
            Transport("https://acme.example", proxy=proxy.url, policy=POLICY).send(call, TOKEN)
        assert not error.value.sent
        assert guard.noted == ["try", "unsent"]
        with pytest.raises(api.QuatrixApiError):
            Transport("http://acme.example", proxy=proxy.url, policy=POLICY).send(call, TOKEN)
    assert guard.noted == ["try", "unsent", "try"]
    assert len(proxy.asked) == 2


def test_a_proxy_that_drips_its_answer_is_cut_off() -> None:
    finished: list[bool] = []

    def dripping(connection: socket.socket, _: str) -> None:
        with suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 ")
            for _ in range(300):
                connection.sendall(b"x")
                time.sleep(0.02)
            finished.append(True)

    brief = RetryPolicy(deadline=0.4, attempts=3, first_pause=0.01)
    with ScriptedServer(dripping) as proxy:
        for scheme in ("http", "https"):
            with pytest.raises(api.QuatrixTransportError):
                Transport(f"{scheme}://acme.example", proxy=proxy.url, policy=brief).send(PING, TOKEN)
    assert finished == []
    assert len(proxy.heads) == 2


def test_a_proxy_whose_address_is_none_is_told_at_once() -> None:
    over = Transport("http://acme.example", proxy="http:///nowhere", policy=RetryPolicy())
    with pytest.raises(api.QuatrixTransportError, match="check the host, the proxy") as error:
        over.send(PING, TOKEN)
    assert error.value.stage is TransportStage.SETTINGS
