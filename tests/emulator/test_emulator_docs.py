from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

from airflow_provider_quatrix.emulator.client import EmulatorClient
from airflow_provider_quatrix.emulator.service.counters import Counters
from airflow_provider_quatrix.emulator.settings import EmulatorSettings

TEXT = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")


def test_every_setting_is_documented_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \| .+ \|$", TEXT, flags=re.MULTILINE)
    assert {name: json.loads(value) for name, value in rows} == json.loads(json.dumps(EmulatorSettings().as_dict()))


def test_every_counter_is_documented() -> None:
    assert [field.name for field in fields(Counters) if f"`{field.name}`" not in TEXT] == []


def test_every_member_of_the_client_is_documented() -> None:
    members = [name for name in dir(EmulatorClient) if not name.startswith("_")]
    assert [name for name in members if not re.search(rf"`{name}[`(]", TEXT)] == []
