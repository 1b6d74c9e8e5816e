from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet

from testing.lab.compose import DOCKER, INTERPOLATION, read_env

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SECRETS = {
    "AIRFLOW_FERNET_KEY",
    "AIRFLOW_JWT_SECRET",
    "AIRFLOW_API_SECRET_KEY",
    "AIRFLOW_ADMIN_PASSWORD",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "QUATRIX_EMULATOR_PASSWORD",
}


def test_example_holds_no_secret(example_text: str) -> None:
    assert {name for name, value in read_env(example_text).items() if not value} == SECRETS
    connection = json.loads(read_env(example_text)["QUATRIX_CONNECTION"])
    assert connection["password"] == "@QUATRIX_EMULATOR_PASSWORD@"


def test_example_lists_exactly_the_settings_of_the_compose_file(example_text: str) -> None:
    text = (DOCKER / "docker-compose.yaml").read_text(encoding="utf-8")
    used = {found["name"] for found in INTERPOLATION.finditer(text) if found["name"]}
    assert used == set(read_env(example_text))


def test_every_secret_is_fresh_and_safe_in_urls_and_json(
    generate_env: Any, example_text: str, settings: dict[str, str]
) -> None:
    again = read_env(generate_env.fill(example_text))
    values = [settings[name] for name in SECRETS] + [again[name] for name in SECRETS]
    assert len(set(values)) == 2 * len(SECRETS)
    assert [value for value in values if not re.fullmatch(r"[\w=-]{40,}", value, flags=re.ASCII)] == []
    Fernet(settings["AIRFLOW_FERNET_KEY"])


def test_connection_signs_in_to_the_emulator(settings: dict[str, str]) -> None:
    assert json.loads(settings["QUATRIX_CONNECTION"]) == {
        "conn_type": "quatrix",
        "host": "http://emulator:8580",
        "login": settings["QUATRIX_EMULATOR_USER"],
        "password": settings["QUATRIX_EMULATOR_PASSWORD"],
    }


def test_file_is_private_and_never_replaced(
    generate_env: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / ".env"
    assert generate_env.main(target) == 0
    first = target.read_text(encoding="utf-8")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert generate_env.main(target) == 1
    assert target.read_text(encoding="utf-8") == first
    said = "".join(capsys.readouterr())
    assert [name for name, value in read_env(first).items() if name in SECRETS and value in said] == []
