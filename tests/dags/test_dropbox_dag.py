"""The partner drop-box, with a partner who acts through the emulator, and with one who has a browser."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dag_runs import AIRFLOW_3, Outcome, once, run
from fixtures_browser import faultless_page

from airflow_provider_quatrix.pytest_plugin import EMAIL
from testing.chromium import started_chromium

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # Airflow 2
    from airflow.models.dagbag import DagBag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from airflow_provider_quatrix.emulator.client import EmulatorClient

pytestmark = pytest.mark.usefixtures("airflow_db", "quatrix_connection")

FILE = Path(__file__).parents[2] / "dags" / "quatrix_dropbox.py"
PARTNER = "partner@example.com"
ORDERS = b"order,units\na-1,12\nb-2,7\n"
SENT = {
    "ask": "success",
    "arrived": "success",
    "end_request": "success",
    "check": "success",
    "load": "success",
    "archive": "success",
    "answer": "success",
    "share": "success",
    "receipt": "success",
    "end_share": "success",
}


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "orders.db"
    monkeypatch.setenv("AIRFLOW_CONN_ORDERS_DB", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    return path


@pytest.fixture
def dropbox(quatrix_emulator: EmulatorClient, database: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("QUATRIX_EXAMPLE_INTERVAL", "1")
    bag = DagBag(str(FILE))
    assert bag.import_errors == {}
    assert quatrix_emulator.requests == 0
    dag = bag.dags["quatrix_dropbox"]
    for task in dag.tasks:
        task.retries = 0
    return dag


def loaded(database: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT order_id, units FROM orders ORDER BY order_id").fetchall()


def shared(emulator: EmulatorClient, kind: str) -> list[dict[str, Any]]:
    return [share for share in emulator.shares if share["kind"] == kind]


def ended(emulator: EmulatorClient) -> dict[str, bool]:
    """Whether the request and the share have ended; the partner's reply is no business of the DAG."""
    return {share["kind"]: share["status"] == "D" for share in emulator.shares if share["kind"] != "reply"}


def hand_in(emulator: EmulatorClient, name: str, data: bytes, *, infected: bool = False) -> Callable[[], None]:
    """Answer the request with a file to which nobody writes any more."""

    def act() -> None:
        (request,) = shared(emulator, "request")
        emulator.return_files(request["id"], {name: data}, PARTNER)
        if infected:
            emulator.set_virus_check(EMAIL, f"{request['folder']}/{name}", "infected")
        emulator.advance(60)

    return act


def paths(emulator: EmulatorClient) -> list[str]:
    """Where files are below the folder of the run."""
    return ["/".join(file["path"].split("/")[3:]) for file in emulator.files(EMAIL) if file["type"] == "F"]


def is_waited_for(emulator: EmulatorClient) -> bool:
    """Whether the sensor has looked more than once for the receipt."""
    return emulator.calls("GET", "tracking/files/{id}") >= 2


def check_all_is_done(outcome: Outcome, emulator: EmulatorClient, database: Path) -> None:
    assert outcome.states == SENT
    assert loaded(database) == [("a-1", 12), ("b-2", 7)]
    assert paths(emulator) == ["done/orders.csv", "out/answer.txt"]
    (receipt,) = outcome.tasks["receipt"].xcom
    assert (receipt["recipient"], receipt["file"]) == (PARTNER, "answer.txt")
    assert ended(emulator) == {"request": True, "share": True}
    assert emulator.logins == 1


def test_from_request_to_receipt(dropbox: Any, quatrix_emulator: EmulatorClient, database: Path) -> None:
    def download() -> None:
        (share,) = shared(quatrix_emulator, "share")
        assert quatrix_emulator.download_share(share["id"], PARTNER) == ["answer.txt"]

    with (
        once(lambda: bool(shared(quatrix_emulator, "request")), hand_in(quatrix_emulator, "orders.csv", ORDERS)),
        once(lambda: is_waited_for(quatrix_emulator), download),
    ):
        outcome = run(dropbox)
    check_all_is_done(outcome, quatrix_emulator, database)


@contextmanager
def page_behind_link(emulator: EmulatorClient, browser: str, mail: str, title: str) -> Iterator[Page]:
    """Open an e-mail's link in a browser of this thread: in the main one Airflow has an event loop of its own."""
    with started_chromium(browser) as chromium, faultless_page(chromium, timeout=60) as page:
        page.goto(emulator.url)
        row = page.locator("#mails tbody tr", has_text=PARTNER).filter(has_text=mail)
        row.get_by_role("link", name="Follow the link").click()
        page.get_by_role("heading", name=title).wait_for()
        page.get_by_role("button", name="Go on").click()
        yield page


@pytest.mark.browser
@pytest.mark.skipif(not AIRFLOW_3, reason="what a browser does is the same for both lines")
def test_the_partner_is_a_person_with_a_browser(
    dropbox: Any, quatrix_emulator: EmulatorClient, database: Path, chromium_program: str
) -> None:
    subject = dropbox.get_task("share").subject
    downloads: list[bytes] = []

    def send() -> None:
        with page_behind_link(quatrix_emulator, chromium_program, "file request", "Files are wanted") as page:
            file = {"name": "orders.csv", "mimeType": "text/csv", "buffer": ORDERS}
            page.get_by_label("Files", exact=True).set_input_files(file)
            page.get_by_role("button", name="Send").click()
            page.get_by_role("status").get_by_text("Sent: 1 file").wait_for()
        quatrix_emulator.advance(60)

    def download() -> None:
        with page_behind_link(quatrix_emulator, chromium_program, subject, subject) as page:
            with page.expect_download() as waiting:
                page.get_by_role("button", name="Download all").click()
            downloads.append(Path(waiting.value.path()).read_bytes())

    with (
        once(lambda: bool(shared(quatrix_emulator, "request")), send),
        once(lambda: is_waited_for(quatrix_emulator), download),
    ):
        outcome = run(dropbox)
    check_all_is_done(outcome, quatrix_emulator, database)
    assert downloads == [b"2 orders are loaded.\n"]


@pytest.mark.parametrize(
    ("data", "infected", "reason"),
    [
        (ORDERS, True, "Quatrix reports infected"),
        (b"order,amount\na-1,12\n", False, "its columns are ['order', 'amount'], not ['order', 'units']"),
        (b"order,units\na-1,many\n", False, "invalid literal for int() with base 10: 'many'"),
        (b"\xff\xfe\x00", False, "'utf-8' codec can't decode byte 0xff in position 0"),
    ],
    ids=["infected", "other columns", "no number", "no text"],
)
def test_a_bad_file_is_refused_by_name_and_nothing_stays_open(
    dropbox: Any,
    quatrix_emulator: EmulatorClient,
    database: Path,
    capfd: pytest.CaptureFixture[str],
    data: bytes,
    infected: bool,
    reason: str,
) -> None:
    act = hand_in(quatrix_emulator, "orders.csv", data, infected=infected)
    with once(lambda: bool(shared(quatrix_emulator, "request")), act):
        outcome = run(dropbox)
    assert outcome.state == "failed"
    assert outcome.states == SENT | {
        "check": "failed",
        **dict.fromkeys(["load", "archive", "answer", "share", "receipt", "end_share"], "upstream_failed"),
    }
    assert outcome.tasks["check"].tries == 1
    log = "".join(capfd.readouterr())
    assert "/in/orders.csv, uploaded by" in log
    assert reason in log
    assert not database.exists()
    assert paths(quatrix_emulator) == ["in/orders.csv"]
    assert ended(quatrix_emulator) == {"request": True}


def test_orders_are_loaded_once_for_each_run(dropbox: Any, quatrix_emulator: EmulatorClient, database: Path) -> None:
    quatrix_emulator.put_file(EMAIL, "/in/orders.csv", ORDERS)
    load = dropbox.get_task("load").python_callable
    for run_id in ("one", "one", "another"):
        assert load([{"path": "/in/orders.csv"}], run_id) == 2
    assert loaded(database) == [("a-1", 12)] * 2 + [("b-2", 7)] * 2


@pytest.mark.parametrize(("failed", "asks"), [("arrived", True), ("check", False), ("load", False), ("receipt", False)])
def test_who_clears_a_task_asks_anew_only_where_that_is_needed(dropbox: Any, failed: str, asks: bool) -> None:
    cleared = dropbox.partial_subset([failed], include_upstream=False, include_downstream=True).task_dict
    assert ("ask" in cleared, "share" in cleared) == (asks, True)
