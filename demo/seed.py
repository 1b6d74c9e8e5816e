"""The files that the example DAGs work on, and how they are kept between two starts."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

from testing.emulator_process import EMAIL

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_quatrix.emulator.client import EmulatorClient

# The connection to the database into which an example DAG loads.
DATABASE_CONN_ID = "orders_db"
# Old enough for every ``min_age`` of the example DAGs.
AGE_SECONDS = 3600.0
SEED = {
    "/partner/inbox/orders.csv": b"order,units\n1,12\n2,7\n",
    "/partner/inbox/returns.csv": b"order,units\n1,3\n",
    "/exchange/in/prices.csv": b"article,price\na-1,12.50\n",
    "/published/prices.csv": b"article,price\na-1,12.50\n",
    "/published/2026/catalogue.txt": b"Articles of this year\n",
    "/reports/report.csv": b"region,units\nnorth,4\nsouth,9\n",
    "/reports/sales-week-1.csv": b"region,units\nnorth,4\n",
    "/reports/drafts/notes.txt": b"not yet\n",
}


def database(home: Path) -> dict[str, str]:
    """The connection to a database in a file.

    :param home: folder of the file.
    :return: the fields of the connection.
    """
    return {"conn_type": "sqlite", "host": str(home.resolve() / "orders.db")}


def sow(emulator: EmulatorClient, store: Path) -> None:
    """Put the files of the example DAGs into the emulator, and into the other store of one of them.

    :param emulator: the service.
    :param store: a folder.
    """
    (store / "reports").mkdir(parents=True, exist_ok=True)
    (store / "reports" / "summary.csv").write_text("region,units\nnorth,4\n")
    for path, data in SEED.items():
        emulator.put_file(EMAIL, path, data, modified=time.time() - AGE_SECONDS)


def keep(emulator: EmulatorClient, folder: Path) -> None:
    """Copy the user's files to disk, without the Trash.

    :param emulator: the service.
    :param folder: is made again.
    """
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    for found in emulator.files(EMAIL):
        path: str = found["path"]
        if found["unfinished"] or path.startswith("/Trash"):
            continue
        local = new / path.strip("/")
        if found["type"] != "F":
            local.mkdir(parents=True, exist_ok=True)
            continue
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_bytes(emulator.read_file(EMAIL, path))
        os.utime(local, (found["modified"], found["modified"]))
    shutil.rmtree(folder, ignore_errors=True)
    new.replace(folder)


def restore(emulator: EmulatorClient, folder: Path) -> None:
    """Restore what was kept.

    :param emulator: the service.
    :param folder: see :func:`keep`.
    """
    for local in sorted(folder.rglob("*")):
        path = f"/{local.relative_to(folder).as_posix()}"
        if local.is_dir():
            emulator.make_folder(EMAIL, path)
        else:
            emulator.put_file(EMAIL, path, local.read_bytes(), modified=local.stat().st_mtime)
