"""What the real OpenLineage provider writes of real tasks, read from its file transport."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from known_secrets import KnownSecrets

from airflow_provider_quatrix.hooks.lineage import MOST_DATASETS
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytest.importorskip(
    "airflow.providers.openlineage", reason="needs the package apache-airflow-providers-openlineage, of the extra test"
)
pytestmark = [pytest.mark.usefixtures("airflow_db", "quatrix_connection"), pytest.mark.timeout(600)]

# As of an account with a second factor; this one has none.
CODE = "Known-Code-1"
TESTS = Path(__file__).parents[1]
Names = list[tuple[str, str]]


@dataclass(frozen=True)
class Events:
    """What was written.

    :param text: all of it.
    :param told: inputs and outputs of the event that tells of a task's success, by task id.
    """

    text: str
    told: dict[str, tuple[Names, Names]]


def events_of(steps: list[tuple[str, str, dict[str, Any]]], folder: Path) -> Events:
    """Run tasks with the OpenLineage provider switched on, and return its events."""
    file, written = folder / "steps.json", folder / "events.jsonl"
    file.write_text(json.dumps(steps))
    transport = {"type": "file", "log_file_path": str(written), "append": True}
    with (folder / "log").open("w") as log:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("lineage_child.py")), str(file)],
            env=os.environ
            | {
                "PYTHONPATH": os.pathsep.join((str(TESTS.parent), str(TESTS))),
                "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
            },
            stdout=log,
            stderr=log,
            timeout=500,
            check=False,
        )
    assert done.returncode == 0, (folder / "log").read_text()
    text = written.read_text()
    found = [json.loads(line) for line in text.splitlines()]
    return Events(
        text,
        {
            event["job"]["name"].partition(".")[2]: (names(event["inputs"]), names(event["outputs"]))
            for event in found
            if event["eventType"] == "COMPLETE" and "." in event["job"]["name"]
        },
    )


def names(datasets: list[dict[str, Any]]) -> Names:
    return [(each["namespace"], each["name"]) for each in datasets]


def test_events_name_the_files_on_both_sides(quatrix_emulator: EmulatorClient, tmp_path: Path) -> None:
    account = f"quatrix://{quatrix_emulator.url.removeprefix('http://')}"
    quatrix_emulator.put_file(EMAIL, "/inbox/März #1.csv", b"1")
    quatrix_emulator.put_file(EMAIL, "/kept/b.csv", b"another")
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    (source / "a#1 ü.csv").write_bytes(b"a")
    (source / "below" / "b.csv").write_bytes(b"b")
    many = tmp_path / "many"
    for number in range(MOST_DATASETS + 1):
        (many / str(number % 3)).mkdir(parents=True, exist_ok=True)
        (many / str(number % 3) / f"{number}.csv").write_bytes(b"")
    got = tmp_path / "got"
    on_quatrix = "quatrix://quatrix_default@"

    events = events_of(
        [
            ("login", "login", {"mfa_code": CODE}),
            ("upload", "upload", {"source": str(source), "target": "/up", "create_parents": True}),
            ("download", "download", {"source": "/inbox", "target": f"{got}/", "create_parents": True}),
            ("dry", "download", {"source": "/inbox", "target": f"{got}/", "dry_run": True, "if_exists": "update"}),
            ("again", "download", {"source": "/inbox", "target": f"{got}/", "if_exists": "update"}),
            ("kept", "upload", {"source": str(source / "below"), "target": "/kept", "if_exists": "skip"}),
            ("copy", "copy", {"source": "/up/below/b.csv", "target": "/inbox/"}),
            ("move", "move", {"source": "/up/below", "target": "/moved"}),
            ("transfer", "transfer", {"source": "/inbox/b.csv", "target": f"file://{got}/c.csv"}),
            ("back", "transfer", {"source": f"file://{got}/c.csv", "target": "/inbox/c.csv"}),
            ("many", "upload", {"source": str(many), "target": "/many", "create_parents": True}),
            ("by_hook", "by_hook", {"source": str(source / "below" / "b.csv"), "target": "/inbox/hook.csv"}),
            (
                "by_path",
                "by_path",
                {"source": f"{on_quatrix}/inbox/hook.csv", "target": "quatrix:///inbox/path.csv"},
            ),
            ("by_copy", "by_copy", {"source": f"{on_quatrix}/inbox/b.csv", "target": f"file://{got}/d.csv"}),
        ],
        tmp_path,
    )

    assert events.told == {
        "login": ([], []),
        "upload": (
            [("file", f"{source}/a#1 ü.csv"), ("file", f"{source}/below/b.csv")],
            [(account, "/up/a#1 ü.csv"), (account, "/up/below/b.csv")],
        ),
        "download": ([(account, "/inbox/März #1.csv")], [("file", f"{got}/März #1.csv")]),
        "dry": ([], []),
        # What was there already is what the source has.
        "again": ([(account, "/inbox/März #1.csv")], [("file", f"{got}/März #1.csv")]),
        # What was there already is something else.
        "kept": ([], []),
        "copy": ([(account, "/up/below/b.csv")], [(account, "/inbox/b.csv")]),
        "move": ([(account, "/up/below")], [(account, "/moved")]),
        "transfer": ([(account, "/inbox/b.csv")], [("file", f"{got}/c.csv")]),
        "back": ([("file", f"{got}/c.csv")], [(account, "/inbox/c.csv")]),
        "many": ([("file", str(many))], [(account, "/many")]),
        "by_hook": ([("file", f"{source}/below/b.csv")], [(account, "/inbox/hook.csv")]),
        "by_path": ([(account, "/inbox/hook.csv")], [(account, "/inbox/path.csv")]),
        "by_copy": ([(account, "/inbox/b.csv")], [("file", f"{got}/d.csv")]),
    }
    secrets = KnownSecrets()
    secrets.add_password(EMAIL, PASSWORD)
    secrets.add("code of a login", CODE)
    for session in quatrix_emulator.sessions:
        secrets.add("session id", session["id"])
    assert len(secrets.values) == 4
    assert secrets.found_in("the events", events.text.encode()) == []
