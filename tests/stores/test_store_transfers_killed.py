"""A worker that is killed at any call: the next tries end with every file in its place, once, and nothing else."""

from __future__ import annotations

import os
import random
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from forked import status_of_child
from killed_tries import KILLED, FileNotes, kill_at_call
from tries import TriedHook

from airflow_provider_quatrix.api.files import FilesApi
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.pytest_plugin import EMAIL
from airflow_provider_quatrix.transfer.temporary import is_temporary

if TYPE_CHECKING:
    from pathlib import Path

    from store_servers import Store

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

FILES = {f"{'deep/' if number % 3 else ''}{number}.bin": random.Random(number).randbytes(1000) for number in range(8)}  # noqa: S311


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("mode", ["fail", "rename"])
@pytest.mark.parametrize("direction", ["up", "down", "copy"])
def test_killed_tries(
    quatrix_emulator: EmulatorClient,
    quatrix_connection: QuatrixConnection,
    local: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    direction: str,
    mode: str,
    seed: int,
) -> None:
    quatrix_emulator.add_api_key("transfer-key-1", EMAIL)
    quatrix_connection(password=None, extra={"api_key": "transfer-key-1"})
    monkeypatch.setattr(QuatrixHook, "_checkpoint", lambda _self, _name: FileNotes(tmp_path / "notes"))
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

    def attempt(number: int, *, carried_out: bool, is_retry: bool) -> None:
        kill_at_call(number, carried_out=carried_out)
        TriedHook().transfer(source, target, is_retry=is_retry, **options)

    ends = []
    for tries in range(4):
        # The first try has more calls than that in any case.
        at, carried_out = dice.randrange(1, 50 if tries else 25), dice.random() < 0.5
        work = partial(attempt, at, carried_out=carried_out, is_retry=tries > 0)
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
    quatrix_emulator: EmulatorClient,
    quatrix_connection: QuatrixConnection,
    local: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
) -> None:
    quatrix_emulator.add_api_key("transfer-key-1", EMAIL)
    quatrix_connection(password=None, extra={"api_key": "transfer-key-1"})
    monkeypatch.setattr(QuatrixHook, "_checkpoint", lambda _self, _name: FileNotes(tmp_path / "notes"))
    local.put("a.bin", b"1")

    def attempt() -> None:
        move = FilesApi.move_verified

        def move_and_die(*arguments: Any, **options: Any) -> Any:
            move(*arguments, **options)
            os._exit(KILLED)

        FilesApi.move_verified = move_and_die  # type: ignore[method-assign]
        TriedHook().transfer(f"{local.url}/a.bin", "/out/", if_exists=mode, create_parents=True, resume_key="task")

    assert status_of_child(attempt) == KILLED
    TriedHook().transfer(f"{local.url}/a.bin", "/out/", if_exists=mode, resume_key="task", is_retry=True)
    assert [entry["path"] for entry in quatrix_emulator.files(EMAIL) if entry["type"] == "F"] == ["/out/a.bin"]
