from __future__ import annotations

import socket
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from emulator_api import EMAIL, PASSWORD, Api

from airflow_provider_quatrix.emulator.client import EmulatorClient
from airflow_provider_quatrix.emulator.server import EmulatorServer
from airflow_provider_quatrix.emulator.service.accounts import ApiKeySpec, UserSpec
from airflow_provider_quatrix.emulator.settings import EmulatorSettings
from airflow_provider_quatrix.emulator.web.middleware import UNKNOWN_PATH, Templates

if TYPE_CHECKING:
    from collections.abc import Callable

USER = UserSpec(EMAIL, PASSWORD)


def test_two_servers_know_nothing_of_each_other() -> None:
    with EmulatorServer(users=[USER]) as one, EmulatorServer(users=[USER]) as two:
        assert one.port != two.port
        token = Api(one.url).session()
        assert Api(one.url).keepalive(token).status_code == 200
        assert Api(two.url).keepalive(token).status_code == 401


def test_it_stops_with_everything_closed() -> None:
    before = threading.active_count()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        server = EmulatorServer(users=[USER]).start()
        with requests.Session() as http:
            http.get(server.url, timeout=10)
            server.stop()
            server.stop()
    assert threading.active_count() == before
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((server.host, server.port), timeout=1)


def test_it_can_start_again() -> None:
    server = EmulatorServer(users=[USER])
    for _ in range(2):
        with server:
            assert Api(server.url).login().status_code == 200


@pytest.mark.parametrize("waiting", ["delay", "upload"])
def test_nothing_holds_up_the_end(waiting: str) -> None:
    with EmulatorServer(users=[USER]) as server, EmulatorClient(server.url) as client:
        client.fault("profile", delay=600)
        request = {
            "delay": b"GET /api/1.0/profile HTTP/1.1\r\nHost: x\r\n\r\n",
            "upload": b"POST /api/1.0/session/login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
        }[waiting]
        connection = socket.create_connection((server.host, server.port), timeout=10)
        connection.sendall(request)
        deadline = time.monotonic() + 10
        while not client.requests and time.monotonic() < deadline:
            time.sleep(0.01)
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 5
        connection.close()


def test_settings_and_keys_of_the_start_survive_a_reset() -> None:
    settings = EmulatorSettings(login_limit=1)
    with (
        EmulatorServer(settings, [USER], [ApiKeySpec("key", EMAIL)]) as server,
        EmulatorClient(server.url) as client,
    ):
        client.configure(login_limit=5)
        client.reset()
        assert client.state()["settings"]["login_limit"] == 1
        assert Api(server.url).bearer("key", "profile").status_code == 200
        client.reset(users=[{"email": "other@example.com", "password": "pw"}])
        assert client.state()["api_keys"] == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: EmulatorServer(api_keys=[ApiKeySpec("key", "nobody@example.com")]), "No user nobody@example.com"),
        (lambda: EmulatorServer(EmulatorSettings(login_limit=0)), "login_limit"),
    ],
)
def test_mistakes_are_found_before_the_start(make: Callable[[], EmulatorServer], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_a_port_in_use_is_an_error() -> None:
    with EmulatorServer() as server, pytest.raises(OSError, match="in use"):
        EmulatorServer(port=server.port).start()


def test_a_failure_at_the_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise OSError("no listening today")

    monkeypatch.setattr("uvicorn.Server.startup", refuse)
    with pytest.raises(RuntimeError, match="did not start") as caught:
        EmulatorServer().start()
    assert "no listening today" in str(caught.value.__cause__)


def test_ipv6() -> None:
    try:
        server = EmulatorServer(users=[USER], host="::1").start()
    except OSError:
        pytest.skip("This machine has no IPv6")
    try:
        assert server.url == f"http://[::1]:{server.port}"
        assert Api(server.url).login().status_code == 200
    finally:
        server.stop()


class TestTls:
    def test_the_certificate_is_good_for_those_who_trust_it(self) -> None:
        with EmulatorServer(users=[USER], tls=True) as server:
            assert server.ca_file is not None
            path = Path(server.ca_file)
            assert Api(server.url, server.ca_file).login().status_code == 200
            assert Api(f"https://localhost:{server.port}", server.ca_file).login().status_code == 200
            with pytest.raises(requests.exceptions.SSLError):
                Api(server.url).login()
        assert not path.exists()

    def test_the_authority_can_be_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "ca.pem"
        with EmulatorServer(users=[USER], tls=True, ca_file=path, tls_names=["quatrix.test"]) as server:
            assert server.ca_file == str(path)
            assert Api(server.url, str(path)).login().status_code == 200
        assert path.read_text().startswith("-----BEGIN CERTIFICATE-----")

    def test_an_unusable_path_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            EmulatorServer(tls=True, ca_file=tmp_path / "no" / "ca.pem").start()


class TestTemplates:
    def test_ids_are_replaced(self) -> None:
        templates = Templates(["/api/1.0/file/info/{id}", "/api/1.0/tracking/", "/x/{rest:path}"])
        assert templates.of("/api/1.0/file/info/123") == "/api/1.0/file/info/{id}"
        assert templates.of("/api/1.0/tracking") == "/api/1.0/tracking"
        assert templates.of("/x/a/b") == "/x/{rest}"
        assert templates.of("/api/1.0/file/info/1/2") == UNKNOWN_PATH


class TestSecrets:
    def test_no_repr_shows_one(self) -> None:
        spec = UserSpec(EMAIL, "hidden-pw", totp_secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
        pin = UserSpec(EMAIL, "hidden-pw", pin="h1dd3")
        key = ApiKeySpec("hidden-key", EMAIL)
        text = f"{spec} {pin} {key}"
        for secret in ("hidden", "JBSWY3DPEHPK3PXP", "h1dd3"):
            assert secret not in text
