"""Everything that must never be found where Airflow writes, and where Airflow writes."""

from __future__ import annotations

import base64
import re
import sqlite3
import time
from configparser import RawConfigParser
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

import pyotp
from cryptography.fernet import Fernet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOTP_STEP_SECONDS = 30
# Microseconds in Airflow's logs, which look like a code once in a while.
MICROSECONDS = re.compile(rb"\bduration_us=\d+|, \d{6}, tzinfo=")


@dataclass
class KnownSecrets:
    """The secrets that the run has used so far.

    :param values: what each is, by its value.
    :param totp_secrets: those among them that codes are made of.
    """

    values: dict[str, str] = field(default_factory=dict)
    totp_secrets: list[str] = field(default_factory=list)

    def add(self, what: str, value: str) -> str:
        self.values[value] = what
        return value

    def add_password(self, email: str, password: str) -> None:
        self.add(f"password of {email}", password)
        if quote(password, safe="") != password:
            self.add(f"password of {email}, as in a URL", quote(password, safe=""))
        self.add(f"Basic header of {email}", base64.b64encode(f"{email}:{password}".encode()).decode())

    def add_totp_secret(self, secret: str) -> str:
        self.totp_secrets.append(secret)
        return self.add("TOTP secret of a user", secret)

    def add_all_codes(self, since: float) -> None:
        """Add the codes that the TOTP secrets gave from a minute before a moment until now."""
        for secret in self.totp_secrets:
            codes = pyotp.TOTP(secret)
            for moment in range(int(since) - 60, int(time.time()) + 60, TOTP_STEP_SECONDS):
                self.add(f"TOTP code of {moment}", codes.at(moment))

    def pattern(self) -> re.Pattern[bytes]:
        """Finds any of them as a word of its own.

        Six digits alone would turn up by chance in fractions of seconds and in ciphertext.
        """
        words = (re.escape(value.encode()) for value in sorted(self.values, key=len, reverse=True))
        return re.compile(rb"(?<![\w.-])(?:" + b"|".join(words) + rb")(?![\w-])")

    def found_in(self, where: str, content: bytes) -> list[str]:
        """Return where which of them was found."""
        hits = {match.group().decode() for match in self.pattern().finditer(MICROSECONDS.sub(b"", content))}
        return [f"{self.values[hit]} in {where}" for hit in sorted(hits)]


def log_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Return the logs of tasks, of DAG parsing and of Airflow's processes."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()


def database_columns(file: Path) -> Iterator[tuple[str, bytes]]:
    """Return the content of every column of every table as it is stored."""
    with closing(sqlite3.connect(file, timeout=60)) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            rows = database.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name from the database itself
            names = [column[0] for column in rows.description]
            values: dict[str, list[bytes]] = {name: [] for name in names}
            for row in rows:
                for name, value in zip(names, row, strict=True):
                    values[name].append(value if isinstance(value, bytes) else str(value).encode())
            for name, stored in values.items():
                yield f"{table}.{name}", b"\n".join(stored)


def database_files(file: Path) -> Iterator[tuple[str, bytes]]:
    """Return the database's files as they are, with what deleted rows left behind."""
    for path in (file, *(file.with_name(file.name + suffix) for suffix in ("-wal", "-shm"))):
        if path.exists():
            yield path.name, path.read_bytes()


def trigger_arguments(file: Path, configuration: Path) -> Iterator[tuple[str, bytes]]:
    """Return the arguments of the triggers that wait, decrypted with the key of Airflow's configuration."""
    settings = RawConfigParser()
    settings.read(configuration)
    fernet = Fernet(settings["core"]["fernet_key"])
    with closing(sqlite3.connect(file, timeout=60)) as database:
        for number, classpath, kwargs in database.execute("SELECT id, classpath, kwargs FROM trigger"):
            # Airflow encrypts the arguments on some ways into the database and not on others.
            plain = kwargs.encode() if kwargs.startswith("{") else fernet.decrypt(kwargs)
            yield f"trigger of {classpath} ({number})", plain
