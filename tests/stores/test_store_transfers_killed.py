"""A worker that is killed at any call: the next tries end with every file in its place, once, and nothing else."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from forked import status_of_child
from killed_tries import KILLED, die, kill_at
from meanwhile import AsSoonAs
from tries import TriedHook

from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.transfer.temporary import is_temporary

if TYPE_CHECKING:
    from pathlib import Path

    from store_servers import Store

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

FILES = {f"{'deep/' if number % 3 else ''}{number}.bin": random.Random(number).randbytes(1000) for number in range(8)}  # noqa: S311


@pytest.fixture(autouse=True)
def notes(
    quatrix_emulator: EmulatorClient,
    quatrix_connection: QuatrixConnection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Notes that a killed worker leaves behind, and a connection with an API key."""
    quatrix_emulator.add_api_key("transfer-key-1", EMAIL)
    quatrix_connection(password=None, extra={"api_key": "transfer-key-1"})
    monkeypatch.setenv("AIRFLOW__QUATRIX__SESSION_STORE", "killed_tries.FileStore")
    monkeypatch.setenv("QUATRIX_TEST_STORE", str(tmp_path))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("mode", ["fail", "rename"])
@pytest.mark.parametrize("direction", ["up", "down", "copy"])
def test_killed_tries(quatrix_emulator: EmulatorClient, local: Store, *, direction: str, mode: str, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    for name, data in FILES.items():
        if direction == "up":
            local.put(f"in/{name}", data)
        else:
            quatrix_emulator.put_file(EMAIL, f"/in/{name}", data)
    local.put("out/other.bin", b"not ours")
    quatrix_emulator.put_file(EMAIL, "/out/other.bin", b"not ours")
    source = f"{local.url}/in" if direction == "up" else "/in"
    target = f"{local.url}/out" if direction == "down" else "/out"
    options: dict[str, Any] = {"if_exists": mode, "delete_source": True, "transfers": 2, "resume_key": "task"}

    def attempt(step: int, *, is_retry: bool) -> None:
        kill_at(step)
        TriedHook().transfer(source, target, is_retry=is_retry, **options)

    ends = []
    for tries in range(4):
        # The first try has more steps than that in any case.
        work = partial(attempt, dice.randrange(1, 100 if tries else 38), is_retry=tries > 0)
        ends.append(status_of_child(work))
    assert ends[0] == KILLED
    assert set(ends) <= {0, KILLED}
    results = TriedHook().transfer(source, target, is_retry=True, **options)

    there = {
        entry["path"]: quatrix_emulator.read_file(EMAIL, entry["path"])
        for entry in quatrix_emulator.files(EMAIL)
        if entry["type"] == "F" and not entry["path"].startswith("/Trash/")
    }
    arrived = {f"out/{name}": data for name, data in FILES.items()}
    others = {"out/other.bin": b"not ours"}
    assert local.files() == others | (arrived if direction == "down" else {})
    on_quatrix = others | ({} if direction == "down" else arrived)
    assert there == {f"/{name}": data for name, data in on_quatrix.items()}
    assert not any(map(is_temporary, (path.rpartition("/")[2] for path in (*there, *local.files()))))
    assert len(results) == len(FILES)


@pytest.mark.parametrize("mode", ["fail", "rename"])
def test_a_try_that_is_killed_right_after_its_first_file(
    quatrix_emulator: EmulatorClient, local: Store, mode: str
) -> None:
    local.put("a.bin", b"1")

    def attempt() -> None:
        hook = TriedHook()
        hook.client.observe(AsSoonAs("file/moveone", die))
        hook.transfer(f"{local.url}/a.bin", "/out/", if_exists=mode, create_parents=True, resume_key="task")

    assert status_of_child(attempt) == KILLED
    TriedHook().transfer(f"{local.url}/a.bin", "/out/", if_exists=mode, resume_key="task", is_retry=True)
    assert [entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["type"] == "F"] == ["/out/a.bin"]
