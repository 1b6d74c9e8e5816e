"""One host of many: a process that takes sessions as told on its standard input, one line a turn."""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

from airflow_provider_quatrix.api import Credentials, QuatrixClient, QuatrixError, SessionCalls, Transport
from airflow_provider_quatrix.sessions.broker import SessionBroker
from airflow_provider_quatrix.sessions.cipher import RecordCipher
from airflow_provider_quatrix.sessions.host import AccountFolder
from airflow_provider_quatrix.sessions.shared_record import SharedRecord

logging.disable(logging.CRITICAL)


class SlowStore:
    """A store on a slow line, without a lock: a text can be on its way for 20 to 200 ms either way.

    :param path: file of the text. Beside it is a journal of all that was written.
    :param chance: the line's delays.
    """

    def __init__(self, path: Path, chance: random.Random) -> None:
        self._path = path
        self._chance = chance

    def read(self) -> str | None:
        self._travel()
        try:
            text = self._path.read_text()
        except FileNotFoundError:
            text = None
        self._travel()
        return text

    def write(self, text: str) -> None:
        self._travel()
        new = self._path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        new.write_text(text)
        new.replace(self._path)
        with self._path.with_suffix(".journal").open("a") as journal:
            journal.write(f"{text}\n")
        self._travel()

    def delete(self) -> None:
        self._path.unlink(missing_ok=True)

    def _travel(self) -> None:
        # Half of the way.
        time.sleep(self._chance.uniform(0.01, 0.1))


def turn(job: dict[str, Any], folder: Path, chance: random.Random) -> str:
    """Take a session and make a call with it; return ``ok`` or the error's name."""
    who = Credentials(job["login"], job["password"], job.get("totp_secret"))
    cipher = RecordCipher(job["url"], who)
    transport = Transport(job["url"])
    store = SlowStore(Path(job["store"]), chance)
    shared = SharedRecord(store, cipher, AccountFolder(folder, job["url"], job["login"]), longest_claim=60.0)
    broker = SessionBroker(SessionCalls(transport), who, shared=shared, fingerprint=cipher.fingerprint)
    client = QuatrixClient(transport, broker)
    try:
        client.profile()
    except QuatrixError as error:
        return type(error).__name__
    finally:
        client.close()
    return "ok"


def main() -> None:
    folder = Path(sys.argv[1])
    say = threading.Lock()

    def play(job: dict[str, Any]) -> None:
        chance = random.Random(f"{job['round']} {folder.name}")  # noqa: S311 - delays that can be played again
        time.sleep(max(0.0, job["at"] - time.time()) + chance.uniform(0, job["spread"]))
        outcome = turn(job, folder, chance)
        with say:
            sys.stdout.write(json.dumps({"round": job["round"], "outcome": outcome}) + "\n")
            sys.stdout.flush()

    for line in sys.stdin:
        threading.Thread(target=play, args=(json.loads(line),)).start()


if __name__ == "__main__":
    main()
