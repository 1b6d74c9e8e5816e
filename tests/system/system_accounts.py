"""Users of the emulator whose connections live in Airflow's metadata database."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from testing.airflow_client import AirflowError

if TYPE_CHECKING:
    from known_secrets import KnownSecrets

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from testing.airflow_process import AirflowProcess


@dataclass(frozen=True)
class Account:
    """A user of the emulator, and the Airflow connection for it in the metadata database."""

    conn_id: str
    email: str
    password: str = field(repr=False)
    secrets: KnownSecrets = field(repr=False)
    emulator: EmulatorClient

    def session_ids(self) -> list[str]:
        """The user's sessions; those seen here are among the secrets from then on."""
        ids = [session["id"] for session in self.emulator.sessions if session["email"] == self.email]
        for session_id in ids:
            self.secrets.add(f"session of {self.email}", session_id)
        return ids


def put_connection(airflow: AirflowProcess, **fields: Any) -> None:
    """Write a connection to the metadata database in place of an earlier one of that name."""
    with suppress(AirflowError):
        airflow.delete(f"connections/{fields['connection_id']}")
    airflow.post("connections", {name: value for name, value in fields.items() if value is not None})
