from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from emulator_api import EMAIL, PASSWORD, Api

from airflow_provider_quatrix.emulator import cli
from airflow_provider_quatrix.emulator.client import EmulatorClient
from airflow_provider_quatrix.emulator.server import EmulatorServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = [
    sys.executable,
    "-W",
    "error",
    "-c",
    "from airflow_provider_quatrix.emulator.cli import main; raise SystemExit(main())",
]
LINE = re.compile(r"Quatrix emulator listening on (https?://127\.0\.0\.1:(\d+))\n")
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@contextmanager
def running(*arguments: str, stop: signal.Signals = signal.SIGTERM) -> Iterator[str]:
    process = subprocess.Popen(
        [*RUN, "--port", "0", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        match = LINE.fullmatch(process.stdout.readline())
        assert match is not None
        yield match[1]
        process.send_signal(stop)
        output, errors = process.communicate(timeout=20)
        assert (process.returncode, output, errors) == (0, "", "")
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_until_a_signal(stop: signal.Signals) -> None:
    with running(stop=stop) as url:
        assert Api(url).login(EMAIL, PASSWORD).status_code == 200


def test_users_keys_and_settings() -> None:
    arguments = [
        "--user", "one@example.com:pw", "--user", f"two@example.com:pw:{SECRET}",
        "--api-key", "key:with:colons:one@example.com",
        "--setting", "login_limit=2", "--setting", "retry_after=date", "--setting", "captcha_after_failures=null",
    ]  # fmt: skip
    with running(*arguments) as url, EmulatorClient(url) as client:
        api = Api(url)
        assert api.login("one@example.com", "pw").status_code == 200
        assert api.login("two@example.com", "pw").status_code == 207
        assert api.login(EMAIL, PASSWORD).status_code == 401
        assert api.bearer("key:with:colons", "profile").json()["email"] == "one@example.com"
        settings = client.state()["settings"]
        assert settings["login_limit"] == 2
        assert settings["retry_after"] == "date"
        assert settings["captcha_after_failures"] is None


def test_tls(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    with running("--tls", "--ca-file", str(ca_file), "--tls-name", "quatrix.test") as url:
        assert url.startswith("https://")
        assert Api(url, str(ca_file)).login().status_code == 200


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "99999"], "--port: a port is a number"),
        (["--port", "x"], "--port: a port is a number"),
        (["--user", "no-at"], "--user: email must contain '@'"),
        (["--user", "a@b"], "--user: password must not be empty"),
        (["--user", "a@b:pw:not-base32!"], "--user: totp_secret must be base32"),
        (["--user", "a@b:pw:"], "--user: totp_secret must be base32"),
        (["--api-key", ":a@b"], "--api-key: key must be ASCII"),
        (["--api-key", "key:nobody@example.com"], "No user nobody@example.com"),
        (["--setting", "login_limit"], "--setting: the form is NAME=VALUE"),
        (["--setting", "login_limit=0"], "login_limit"),
        (["--setting", "nothing=0"], "nothing"),
        (["--ca-file", "x"], "need --tls"),
        (["--nonsense"], "unrecognized arguments"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    captured = capsys.readouterr()
    assert caught.value.code == 2
    assert captured.out == ""
    assert captured.err.startswith("quatrix-emulator: ")
    assert captured.err.count("\n") == 1
    assert words in captured.err


def test_a_mistake_in_a_process() -> None:
    done = subprocess.run([*RUN, "--port", "x"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with EmulatorServer() as server:
            assert cli.main(["--port", str(server.port)]) == 1
            assert capsys.readouterr().err == f"quatrix-emulator: Address already in use: {server.url}\n"
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_it_stops_in_this_process_too(capsys: pytest.CaptureFixture[str]) -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    previous = signal.signal(signal.SIGALRM, lambda _number, _frame: signal.raise_signal(signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, 3)
    try:
        assert cli.main(["--port", "0"]) == 0
    finally:
        signal.signal(signal.SIGALRM, previous)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert LINE.search(capsys.readouterr().out)


def test_without_the_extra_it_says_what_is_missing() -> None:
    program = "import sys; sys.modules['fastapi'] = None; import airflow_provider_quatrix.emulator.cli"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("quatrix-emulator needs the extra airflow-provider-quatrix[emulator]")
    assert done.stderr.count("\n") == 1


def test_neither_airflow_nor_the_client_is_imported() -> None:
    program = (
        "import json, sys, airflow_provider_quatrix.emulator.cli, airflow_provider_quatrix.emulator.client;"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    names = json.loads(done.stdout)
    assert [name for name in names if name == "airflow" or name.startswith("airflow.")] == []
    own = [name for name in names if name.startswith("airflow_provider_quatrix.")]
    own.remove("airflow_provider_quatrix.version")  # a leaf, which the package itself imports
    assert [name for name in own if not name.startswith("airflow_provider_quatrix.emulator")] == []
