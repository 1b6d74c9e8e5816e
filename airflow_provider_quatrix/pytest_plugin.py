"""Fixtures over the emulator, for the tests of anyone who writes DAGs with Quatrix.

pytest loads this module in every run wherever the provider is installed. So it imports nothing but pytest until a
fixture is used.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.emulator.server import EmulatorServer

EMAIL = "robot@example.com"
PASSWORD = "Emulator-Passw0rd"  # noqa: S105 - of a user who exists in the emulator only
CONN_ID = "quatrix_default"


class QuatrixConnection(str):
    """The id of an Airflow connection to the emulator. The connection is an environment variable.

    Use it as an id; call it to change fields: ``quatrix_connection(extra={"read_timeout": 2})``.

    :param monkeypatch: removes the variable after the test.
    :param fields: the connection in Airflow's JSON form.
    """

    _fields: dict[str, Any]
    _monkeypatch: pytest.MonkeyPatch

    def __new__(cls, conn_id: str, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]) -> Self:
        """Make the id and set the variable."""
        self = super().__new__(cls, conn_id)
        self._monkeypatch = monkeypatch
        self._fields = fields
        self._write()
        return self

    def __call__(self, *, conn_id: str | None = None, **fields: Any) -> QuatrixConnection:
        """Change fields of the connection; the others stay. A field set to None is removed.

        :param conn_id: make another connection with this id, with the other fields of this one.
        :param fields: such as ``host``, ``login``, ``password``, ``extra`` (replaced as a whole).
        :return: the connection.
        """
        changed = {name: value for name, value in {**self._fields, **fields}.items() if value is not None}
        if conn_id is not None:
            return QuatrixConnection(conn_id, self._monkeypatch, changed)
        self._fields = changed
        self._write()
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # Airflow copies operators and their fields; a copy is the id without the rest.
        return str, (str(self),)

    @property
    def fields(self) -> dict[str, Any]:
        """The connection's fields.

        :return: a copy.
        """
        return dict(self._fields)

    def _write(self) -> None:
        self._monkeypatch.setenv(f"AIRFLOW_CONN_{self.upper()}", json.dumps(self._fields))


def _serve(*, tls: bool) -> Iterator[EmulatorServer]:
    try:
        from airflow_provider_quatrix.emulator.server import EmulatorServer
        from airflow_provider_quatrix.emulator.service.accounts import UserSpec
    except ImportError as error:
        pytest.fail(
            f"The Quatrix emulator needs the extra airflow-provider-quatrix[emulator] ({error})",
            pytrace=False,
        )
    with EmulatorServer(users=[UserSpec(EMAIL, PASSWORD)], tls=tls) as server:
        yield server


def _client(server: EmulatorServer) -> Iterator[EmulatorClient]:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

    with EmulatorClient(server.url, server.ca_file) as client:
        client.reset()
        yield client


@pytest.fixture(scope="session")
def quatrix_emulator_server() -> Iterator[EmulatorServer]:
    """The emulator's server, one for the whole run.

    :return: the running server.
    """
    yield from _serve(tls=False)


@pytest.fixture(scope="session")
def quatrix_emulator_tls_server() -> Iterator[EmulatorServer]:
    """The same over HTTPS, with a certificate of its own authority.

    :return: the running server.
    """
    yield from _serve(tls=True)


@pytest.fixture
def quatrix_emulator(quatrix_emulator_server: EmulatorServer) -> Iterator[EmulatorClient]:
    """A fresh emulator with one user, ``robot@example.com`` with password ``Emulator-Passw0rd``.

    :return: its client.
    """
    yield from _client(quatrix_emulator_server)


@pytest.fixture
def quatrix_emulator_tls(quatrix_emulator_tls_server: EmulatorServer) -> Iterator[EmulatorClient]:
    """A fresh emulator over HTTPS; ``.ca_file`` is the certificate to trust.

    :return: its client.
    """
    yield from _client(quatrix_emulator_tls_server)


@pytest.fixture
def quatrix_connection(
    quatrix_emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> QuatrixConnection:
    """The Airflow connection ``quatrix_default`` to the emulator, as an environment variable for this test.

    :param monkeypatch: removes the variable after the test.
    :param tmp_path_factory: for the locks and login times of this test.
    :return: the connection's id, which can be called to change fields.
    """
    # The emulator has been reset, so what earlier tests learnt about it is out of date.
    if registry := sys.modules.get("airflow_provider_quatrix.sessions.registry"):
        registry.forget_sessions()
    monkeypatch.setenv("AIRFLOW__QUATRIX__LOCK_DIR", str(tmp_path_factory.mktemp("quatrix-locks")))
    fields = {"conn_type": "quatrix", "host": quatrix_emulator.url, "login": EMAIL, "password": PASSWORD}
    return QuatrixConnection(CONN_ID, monkeypatch, fields)
