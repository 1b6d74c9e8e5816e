from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from airflow_provider_quatrix import api
from airflow_provider_quatrix.api.errors import TransportStage
from airflow_provider_quatrix.sessions.ledger import HostLedger, default_lock_dir

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URL = "https://acme.quatrix.it"


def ledger(folder: Path, login: str = "robot@example.com", url: str = URL) -> HostLedger:
    return HostLedger(folder, url, login)


def test_attempts_and_steps_survive(tmp_path: Path) -> None:
    with ledger(tmp_path).locked():
        assert ledger(tmp_path).attempts() == ()
        assert ledger(tmp_path).totp_step() is None
        ledger(tmp_path).write_attempts([1.5, 2.0])
        ledger(tmp_path).write_totp_step(7)
    assert ledger(tmp_path).attempts() == (1.5, 2.0)
    assert ledger(tmp_path).totp_step() == 7
    assert ledger(tmp_path, "Robot@Example.com").attempts() == (1.5, 2.0)
    assert ledger(tmp_path, "other@example.com").attempts() == ()
    assert ledger(tmp_path, url="https://other.quatrix.it").totp_step() is None


def test_nothing_is_left_of_a_write(tmp_path: Path) -> None:
    with ledger(tmp_path).locked():
        ledger(tmp_path).write_attempts([1.0])
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".lock", ".logins"]
    assert "robot" not in "".join(path.name + path.read_text() for path in tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "nonsense", "7", "[null]", '{"a": 1}', '["x"]', "[1.0, 2"])
def test_garbage_is_nothing(tmp_path: Path, text: str) -> None:
    with ledger(tmp_path).locked():
        ledger(tmp_path).write_attempts([])
        ledger(tmp_path).write_totp_step(1)
    for path in tmp_path.glob("*.[lt]o*"):
        if path.suffix != ".lock":
            path.write_text(text)
    assert ledger(tmp_path).attempts() == ()
    assert ledger(tmp_path).totp_step() == (7 if text == "7" else None)


def test_the_folder_is_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "locks"
    with ledger(folder).locked():
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_usual_folder_is_the_users_own() -> None:
    assert default_lock_dir().name == f"airflow-quatrix-{os.getuid()}"


def test_threads_take_turns(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(10):
            with ledger(tmp_path).locked():
                inside.append(1)
                most.append(len(inside))
                book = ledger(tmp_path)
                book.write_attempts([*book.attempts(), float(len(book.attempts()))])
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert ledger(tmp_path).attempts() == tuple(float(number) for number in range(60))


_WORKER = """
import sys
from pathlib import Path
from airflow_provider_quatrix.sessions.ledger import HostLedger
for _ in range(20):
    book = HostLedger(Path(sys.argv[1]), "https://acme.quatrix.it", "robot@example.com")
    with book.locked():
        book.write_attempts([*book.attempts(), float(len(book.attempts()))])
"""


def test_processes_take_turns(tmp_path: Path) -> None:
    workers = [subprocess.Popen([sys.executable, "-c", _WORKER, str(tmp_path)]) for _ in range(3)]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    assert ledger(tmp_path).attempts() == tuple(float(number) for number in range(60))


def test_a_lock_that_is_not_to_be_had_is_told(tmp_path: Path) -> None:
    with ledger(tmp_path).locked():
        with (
            pytest.raises(api.QuatrixTransportError, match="has been signing in") as error,
            ledger(tmp_path).locked(timeout=0.05),
        ):
            pass
        assert error.value.stage is TransportStage.ADDRESS
        with ledger(tmp_path, "other@example.com").locked(timeout=0.05):
            pass
    with ledger(tmp_path).locked(timeout=0.05):
        pass


def test_the_lock_is_given_back_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(KeyError), ledger(tmp_path).locked():
        raise KeyError
    with ledger(tmp_path).locked(timeout=0.05):
        pass


def _file_in_the_way(folder: Path) -> None:
    folder.write_text("")


def _lock_is_a_folder(folder: Path) -> None:
    folder.mkdir()
    with ledger(folder).locked():
        pass
    (lock,) = folder.glob("*.lock")
    lock.unlink()
    lock.mkdir()


@pytest.mark.parametrize("spoil", [_file_in_the_way, _lock_is_a_folder])
def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    folder = tmp_path / "locks"
    spoil(folder)
    with pytest.raises(api.QuatrixError, match=r"set \[quatrix\] lock_dir") as error, ledger(folder).locked(0.05):
        pass
    assert str(folder) in str(error.value)


def test_a_ledger_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    with book.locked():
        book.write_attempts([1.0])
        (path,) = tmp_path.glob("*.logins")
        path.unlink()
        path.mkdir()
        with pytest.raises(api.QuatrixError, match=r"set \[quatrix\] lock_dir"):
            book.write_attempts([2.0])


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_a_folder_of_another_user_is_not_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(api.QuatrixError, match="belongs to another user"), ledger(folder).locked():
        pass


def test_a_link_in_the_way_of_the_ledger_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    folder = tmp_path / "locks"
    with ledger(folder).locked():
        ledger(folder).write_attempts([1.0])
        (path,) = folder.glob("*.logins")
        for link in (path, path.with_suffix(".logins.new")):
            link.unlink(missing_ok=True)
            link.symlink_to(precious)
        ledger(folder).write_attempts([2.0])
    assert precious.read_text() == "precious"
    assert ledger(folder).attempts() == (2.0,)
