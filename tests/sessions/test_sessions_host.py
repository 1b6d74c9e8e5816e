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
from airflow_provider_quatrix.sessions.host import AccountFolder, lock_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URL = "https://acme.quatrix.it"


def account(folder: Path, login: str = "robot@example.com", url: str = URL) -> AccountFolder:
    return AccountFolder(folder, url, login)


def test_a_text_survives(tmp_path: Path) -> None:
    with account(tmp_path).locked():
        assert account(tmp_path).read() is None
        account(tmp_path).write("one")
        account(tmp_path).write("two")
    assert account(tmp_path).read() == "two"
    assert account(tmp_path, "Robot@Example.com").read() == "two"
    assert account(tmp_path, "other@example.com").read() is None
    assert account(tmp_path, url="https://other.quatrix.it").read() is None


def test_nothing_is_left_of_a_write(tmp_path: Path) -> None:
    with account(tmp_path).locked():
        account(tmp_path).write("text")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".lock"]
    assert "robot" not in "".join(path.name + path.read_text() for path in tmp_path.iterdir())
    assert stat.S_IMODE(account(tmp_path).record_path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"x" * (1024 * 1024 + 1)])
def test_a_file_that_is_no_record_is_nothing(tmp_path: Path, content: bytes) -> None:
    with account(tmp_path).locked():
        account(tmp_path).record_path.write_bytes(content)
        assert account(tmp_path).read() is None


def test_the_folder_is_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "locks"
    with account(folder).locked():
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_usual_folder_is_the_users_own() -> None:
    assert lock_folder("").name == f"airflow-quatrix-{os.getuid()}"


def test_threads_take_turns(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(10):
            with account(tmp_path).locked():
                inside.append(1)
                most.append(len(inside))
                count = int(account(tmp_path).read() or 0)
                account(tmp_path).write(str(count + 1))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert account(tmp_path).read() == "60"


_WORKER = """
import sys
from pathlib import Path
from airflow_provider_quatrix.sessions.host import AccountFolder
for _ in range(20):
    account = AccountFolder(Path(sys.argv[1]), "https://acme.quatrix.it", "robot@example.com")
    with account.locked():
        account.write(str(int(account.read() or 0) + 1))
"""


def test_processes_take_turns(tmp_path: Path) -> None:
    workers = [subprocess.Popen([sys.executable, "-c", _WORKER, str(tmp_path)]) for _ in range(3)]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    assert account(tmp_path).read() == "60"


def test_a_lock_that_is_not_to_be_had_is_told(tmp_path: Path) -> None:
    with account(tmp_path).locked():
        with (
            pytest.raises(api.QuatrixTransportError, match="has held the lock of the Quatrix session") as error,
            account(tmp_path).locked(timeout=0.05),
        ):
            pass
        assert error.value.stage is TransportStage.ADDRESS
        with account(tmp_path, "other@example.com").locked(timeout=0.05):
            pass
    with account(tmp_path).locked(timeout=0.05):
        pass


def test_the_lock_is_given_back_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(KeyError), account(tmp_path).locked():
        raise KeyError
    with account(tmp_path).locked(timeout=0.05):
        pass


def _file_in_the_way(folder: Path) -> None:
    folder.write_text("")


def _lock_is_a_folder(folder: Path) -> None:
    with account(folder).locked():
        pass
    (lock,) = folder.glob("*.lock")
    lock.unlink()
    lock.mkdir()


def _lock_is_a_pipe(folder: Path) -> None:
    with account(folder).locked():
        pass
    (lock,) = folder.glob("*.lock")
    lock.unlink()
    os.mkfifo(lock)


def _record_is_a_folder(folder: Path) -> None:
    with account(folder).locked():
        account(folder).record_path.mkdir()


def _record_is_a_pipe(folder: Path) -> None:
    with account(folder).locked():
        os.mkfifo(account(folder).record_path)


@pytest.mark.parametrize(
    "spoil", [_file_in_the_way, _lock_is_a_folder, _lock_is_a_pipe, _record_is_a_folder, _record_is_a_pipe]
)
def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    folder = tmp_path / "locks"
    spoil(folder)
    with pytest.raises(api.QuatrixError, match=r"set \[quatrix\] lock_dir") as error, account(folder).locked(0.05):
        pass
    assert str(folder) in str(error.value)


def test_a_pipe_in_place_of_the_record_is_not_opened(tmp_path: Path) -> None:
    _record_is_a_pipe(tmp_path)
    assert account(tmp_path).read() is None


def test_a_record_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with account(tmp_path).locked():
        account(tmp_path).record_path.mkdir()
        with pytest.raises(api.QuatrixError, match=r"set \[quatrix\] lock_dir"):
            account(tmp_path).write("text")


def test_the_folder_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/robot")
    assert str(lock_folder("~/locks")) == "/home/robot/locks"
    assert str(lock_folder(" /srv/locks ")) == "/srv/locks"
    for relative in ("locks", "./locks", "~nobody-of-that-name/locks"):
        with pytest.raises(api.QuatrixError, match="give an absolute path"):
            lock_folder(relative)


@pytest.mark.parametrize("setting", ["/proc/" + "x" * 300, "/dev/null/x", "/proc/quatrix"])
def test_a_folder_that_cannot_be_made_is_named(setting: str) -> None:
    with pytest.raises(api.QuatrixError, match="cannot be used"), account(lock_folder(setting)).locked():
        pass


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_a_folder_of_another_user_is_not_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(api.QuatrixError, match="belongs to another user"), account(folder).locked():
        pass


def test_a_link_in_the_way_of_a_write_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    folder = tmp_path / "locks"
    with account(folder).locked():
        path = account(folder).record_path
        for link in (path, path.with_suffix(".new")):
            link.symlink_to(precious)
        account(folder).write("text")
    assert precious.read_text() == "precious"
    assert account(folder).read() == "text"
