from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import requests
from emulator_api import EMAIL, PASSWORD, Api

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

TESTS = """
import os, requests

def test_first(quatrix_emulator):
    quatrix_emulator.add_user("other@example.com", "pw")
    requests.get(quatrix_emulator.api_url + "session/login", auth=("robot@example.com", "x"))
    assert quatrix_emulator.logins == 1

def test_second(quatrix_emulator, quatrix_connection):
    assert quatrix_emulator.logins == 0
    assert list(quatrix_emulator.users) == ["robot@example.com"]
    assert quatrix_emulator.url in os.environ["AIRFLOW_CONN_QUATRIX_DEFAULT"]

def test_third():
    assert "AIRFLOW_CONN_QUATRIX_DEFAULT" not in os.environ
"""


def run_pytest(folder: Path, before: str = "pass") -> subprocess.CompletedProcess[str]:
    (folder / "test_dags.py").write_text(TESTS)
    program = (
        f"import sys; {before}; import pytest; sys.exit(pytest.main(['-q', '-W', 'error', '-p', 'no:cacheprovider']))"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLIPCOVER_")}
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def fields(name: str = "AIRFLOW_CONN_QUATRIX_DEFAULT") -> dict[str, object]:
    return json.loads(os.environ[name])


def test_the_plain_connection(quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection) -> None:
    assert quatrix_connection == "quatrix_default"
    assert isinstance(quatrix_connection, str)
    assert fields() == {
        "conn_type": "quatrix",
        "host": quatrix_emulator.url,
        "login": EMAIL,
        "password": PASSWORD,
    }
    assert PASSWORD not in repr(quatrix_connection)


def test_fields_can_be_changed(quatrix_connection: QuatrixConnection) -> None:
    assert quatrix_connection(password="other", extra={"read_timeout": 2}) is quatrix_connection
    assert quatrix_connection(login=None) == "quatrix_default"
    assert fields()["password"] == "other"
    assert fields()["extra"] == {"read_timeout": 2}
    assert "login" not in fields()
    assert quatrix_connection.fields == fields()


def test_copies_are_the_plain_id(quatrix_connection: QuatrixConnection) -> None:
    for copied in (copy.copy(quatrix_connection), copy.deepcopy(quatrix_connection)):
        assert (type(copied), copied) == (str, "quatrix_default")
    assert pickle.loads(pickle.dumps(quatrix_connection)) == "quatrix_default"  # noqa: S301
    assert json.dumps([quatrix_connection]) == '["quatrix_default"]'


def test_another_connection_can_be_made(quatrix_connection: QuatrixConnection) -> None:
    other = quatrix_connection(conn_id="other", login="other@example.com")
    assert other == "other"
    assert fields("AIRFLOW_CONN_OTHER")["login"] == "other@example.com"
    assert fields()["login"] == EMAIL


def test_the_emulator_over_tls(quatrix_emulator_tls: EmulatorClient) -> None:
    assert quatrix_emulator_tls.ca_file is not None
    assert Api(quatrix_emulator_tls.url, quatrix_emulator_tls.ca_file).login().status_code == 200
    assert quatrix_emulator_tls.logins == 1


def test_every_test_has_a_fresh_emulator(tmp_path: Path) -> None:
    done = run_pytest(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_without_the_extra_only_tests_that_use_it_fail(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "sys.modules['fastapi'] = None")
    assert "1 passed, 2 errors" in done.stdout
    assert "The Quatrix emulator needs the extra airflow-provider-quatrix[emulator]" in done.stdout


def test_the_plugin_imports_next_to_nothing() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import airflow_provider_quatrix.pytest_plugin;"
        "print(sorted(name for name in set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    for name in ("airflow.", "fastapi", "uvicorn", "requests", "pyotp", "airflow_provider_quatrix.emulator"):
        assert f"'{name}" not in done.stdout


def test_the_server_fixture_is_shared(quatrix_emulator: EmulatorClient, quatrix_emulator_server: object) -> None:
    assert requests.get(quatrix_emulator.url, timeout=10).status_code == 200
    assert getattr(quatrix_emulator_server, "url", None) == quatrix_emulator.url
