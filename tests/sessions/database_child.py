"""Tries what a Variable in the metadata database promises, in a process of its own, as Airflow opens it once."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy
from airflow import settings
from airflow.models import import_all_models
from airflow.models.variable import Variable
from forked import status_of_child
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_quatrix.api import Credentials, QuatrixError, SessionCalls, Transport
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from airflow_provider_quatrix.sessions import variables
from airflow_provider_quatrix.sessions.broker import SessionBroker
from airflow_provider_quatrix.sessions.cipher import RecordCipher
from airflow_provider_quatrix.sessions.host import AccountFolder
from airflow_provider_quatrix.sessions.shared_record import SharedRecord
from airflow_provider_quatrix.sessions.variables import LockedVariable, account_variable

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS, TURNS = 4, 10
# How the databases name the connections that wait for such a lock, and how they end one.
_WAITING = {
    "postgresql": (
        "SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory'",
        "SELECT pg_terminate_backend({})",
    ),
    "mysql": (
        "SELECT id FROM information_schema.processlist WHERE info LIKE '%GET_LOCK%' AND id <> connection_id()",
        "KILL {}",
    ),
}


def together(count: int, work: Callable[[int], object]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def variable(name: str) -> LockedVariable:
    made = account_variable(name)
    assert isinstance(made, LockedVariable)
    return made


def versions() -> list[str | None]:
    """What is read before and after writing and deleting."""
    one, other = variable("quatrix_session__a"), variable("quatrix_session__a")
    seen = [one.read()]
    for text in ("one", "two"):
        one.write(text)
        seen.append(other.read())
    other.delete()
    other.delete()
    return [*seen, one.read()]


def others_meanwhile() -> list[str]:
    """What another gets that wants the lock, once its holder has read and written, and once it is free."""
    one, said = variable("quatrix_session__b"), []

    def another(_number: int) -> None:
        try:
            with one.lock():
                said.append("the lock")
        except QuatrixError as error:
            said.append(str(error))

    with one.lock():
        one.read()
        one.write("held")
        together(1, another)
    together(1, another)
    return said


def of_a_lost_connection() -> str:
    """What the lock raises for one who waits for it, whose connection the database ends."""
    one, said = variable("quatrix_session__f"), ["nothing"]

    def another(_number: int) -> None:
        try:
            with one.lock():
                pass
        except SQLAlchemyError:
            said.append("the database's error")
        except QuatrixError as error:
            said.append(str(error))

    waiting, end = _WAITING[settings.engine.dialect.name]
    with one.lock():
        thread = threading.Thread(target=another, args=(0,))
        thread.start()
        while thread.is_alive():
            with settings.engine.begin() as connection:
                for (number,) in connection.execute(sqlalchemy.text(waiting)):
                    connection.execute(sqlalchemy.text(end.format(number)))
            thread.join(0.05)
    return said[-1]


def counted() -> int:
    """What comes of counting up, which is read and written in two steps."""
    one = variable("quatrix_session__c")

    def count(_number: int) -> None:
        for _ in range(TURNS):
            with one.lock():
                one.write(str(int(one.read() or 0) + 1))

    together(THREADS, count)
    return int(one.read() or 0)


def after_a_kill() -> str | None:
    """What is read with the lock of a process that was killed while it held it."""
    one = variable("quatrix_session__d")

    def killed() -> None:
        settings.dispose_orm()
        settings.configure_orm()
        with one.lock():
            one.write("of the killed")
            os.kill(os.getpid(), signal.SIGKILL)

    assert status_of_child(killed) == -signal.SIGKILL
    with one.lock():
        return one.read()


def sessions(url: str, folder: Path) -> tuple[int, float]:
    """Sign in on hosts with folders of their own at once; return their sessions and the seconds that they waited."""
    who = Credentials(EMAIL, PASSWORD)
    cipher = RecordCipher(url, who)
    got: set[str] = set()
    waited: list[float] = []

    def host(number: int) -> None:
        transport = Transport(url)
        host_folder = AccountFolder(folder / f"host-{number}", url, EMAIL)
        shared = SharedRecord(variable("quatrix_session__e"), cipher, host_folder, longest_claim=60.0)
        broker = SessionBroker(
            SessionCalls(transport), who, shared=shared, fingerprint=cipher.fingerprint, sleep=waited.append
        )
        got.add(broker.acquire())
        transport.close()

    together(2 * THREADS, host)
    return len(got), sum(waited)


def main() -> None:
    import_all_models()
    Variable.__table__.create(settings.engine)
    variables._LOCK_SECONDS = 2
    url, folder = sys.argv[1:]
    found = {
        "versions": versions(),
        "others meanwhile": others_meanwhile(),
        "of a lost connection": of_a_lost_connection(),
        "counted": counted(),
        "after a kill": after_a_kill(),
        "sessions": sessions(url, Path(folder)),
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
