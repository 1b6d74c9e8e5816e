"""The recipe for PGP files, with a real gpg."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dag_runs import run

from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = [
    pytest.mark.usefixtures("airflow_db", "quatrix_connection"),
    pytest.mark.skipif(shutil.which("gpg") is None, reason="there is no gpg"),
]

FILE = Path(__file__).parents[2] / "dags" / "quatrix_decrypt.py"
PASSPHRASE = "of the key ring"


def gpg(homedir: str, *arguments: str, data: bytes = b"") -> bytes:
    command = ["gpg", "--batch", "--homedir", homedir, "--pinentry-mode", "loopback", "--passphrase", PASSPHRASE]
    return subprocess.run([*command, *arguments], input=data, capture_output=True, check=True, timeout=60).stdout


@pytest.fixture
def homedir(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A key ring with one key; its path is short, as gpg puts a socket there."""
    with tempfile.TemporaryDirectory(prefix="gpg-") as folder:
        gpg(folder, "--quick-generate-key", "robot@example.com", "future-default", "default", "never")
        key = {"conn_type": "generic", "password": PASSPHRASE, "extra": {"homedir": folder}}
        monkeypatch.setenv("AIRFLOW_CONN_PGP_KEY", json.dumps(key))
        yield folder
        subprocess.run(["gpgconf", "--homedir", folder, "--kill", "all"], check=False, timeout=60)


def test_files_are_decrypted_as_they_arrive(
    quatrix_emulator: EmulatorClient, homedir: str, capfd: pytest.CaptureFixture[str]
) -> None:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:
        from airflow.models.dagbag import DagBag
    bag = DagBag(str(FILE))
    assert bag.import_errors == {}
    dag = bag.dags["quatrix_decrypt"]
    dag.get_task("decrypt").retries = 0
    for name in ("good.csv", "cut.csv"):
        sealed = gpg(homedir, "--encrypt", "--recipient", "robot@example.com", data=b"of " + name.encode() * 1000)
        sealed = sealed if name == "good.csv" else sealed[:-20]
        quatrix_emulator.put_file(EMAIL, f"/partner/encrypted/{name}.pgp", sealed)
    quatrix_emulator.advance(120)
    outcome = run(dag)
    assert outcome.states == {"arrived": "success", "decrypt[0]": "failed", "decrypt[1]": "success"}
    assert "/partner/encrypted/cut.csv.pgp cannot be decrypted" in "".join(capfd.readouterr())
    assert {entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["type"] == "F"} == {
        "/partner/encrypted/cut.csv.pgp",
        "/partner/archive/good.csv.pgp",
        "/partner/clear/good.csv",
    }
    assert quatrix_emulator.read_file(EMAIL, "/partner/clear/good.csv") == b"of " + b"good.csv" * 1000
