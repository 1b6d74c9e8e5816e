"""``make pictures``: run DAGs of the demo, and take the pictures for README and docs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from demo.running import started
from demo.scenes import SCENES, play
from testing.airflow_client import AirflowError
from testing.chromium import NAMES, chromium_path, started_chromium
from testing.emulator_process import PASSWORD
from testing.output import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser, Page

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from testing.airflow_process import AirflowProcess

ROOT = Path(__file__).parents[1]
# The DAG whose grid is shown: it has the most tasks.
SHOWN = "quatrix_session_lifecycle"
# Airflow's own pages are slow to load on a busy machine.
WAIT_MS = 60_000


def page_of(browser: Browser, width: int, height: int) -> Page:
    """Open an empty page.

    :param width: in pixels.
    :param height: in pixels.
    """
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light", locale="en-GB")
    page.set_default_timeout(WAIT_MS)
    return page


def grid(browser: Browser, airflow: AirflowProcess, path: Path) -> None:
    """Take a picture of the grid and the tasks of a finished run.

    :param path: of the picture.
    """
    run = airflow.get(f"dags/{SHOWN}/dagRuns")["dag_runs"][-1]["dag_run_id"]
    tasks = airflow.task_instances(SHOWN, run)
    page = page_of(browser, 1200, 900)
    page.goto(f"{airflow.url}/dags/{SHOWN}/runs/{run}")
    page.get_by_test_id(f"grid-{run}-{tasks[0]['task_id']}").wait_for()
    page.get_by_test_id("table-cell-state").nth(len(tasks) - 1).wait_for()
    page.screenshot(path=path, animations="disabled")


def connection_form(browser: Browser, airflow: AirflowProcess, path: Path) -> None:
    """Take a picture of the connection form with its standard fields filled in.

    :param path: of the picture.
    """
    page = page_of(browser, 1000, 1100)
    page.goto(f"{airflow.url}/connections")
    page.get_by_role("button", name="Add Connection").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").first.fill("Quatrix")
    page.get_by_role("option", name="Quatrix", exact=True).click()
    values = {
        "connection_id": "quatrix_default",
        "host": "acme.quatrix.it",
        "port": "443",
        "login": "robot@acme.example",
        "password": "not a real one",
    }
    for name, value in values.items():
        dialog.locator(f"[name={name}]").fill(value)
    dialog.get_by_text("Add Connection", exact=True).click()
    dialog.screenshot(path=path, animations="disabled")


def emulator_page(browser: Browser, emulator: EmulatorClient, path: Path) -> None:
    """Take a picture of the emulator's page, with the session that the runs left and a user who waits for a CAPTCHA.

    :param emulator: the service.
    :param path: of the picture.
    """
    emulator.add_user("nightly@example.com", PASSWORD)
    emulator.block_user("nightly@example.com")
    page = page_of(browser, 1000, 1100)
    page.goto(emulator.url)
    page.locator("#calls tbody tr", has_text="session/keepalive").first.wait_for()
    page.get_by_role("button", name="Pass the CAPTCHA").wait_for()
    page.screenshot(path=path, animations="disabled")


def take(folder: Path, home: Path) -> None:
    """Run the demo and take all pictures.

    :param folder: for the pictures.
    :param home: folder for Airflow's files and the logs; emptied first.
    :raises AirflowError: Airflow or a DAG failed.
    """
    browser_path = chromium_path()
    if browser_path is None:
        raise AirflowError(f"None of {', '.join(NAMES)} is on the PATH; 'make chromium' installs one.")
    say("Starting the emulator and Airflow ...")
    with started(home, ROOT / "dags") as (airflow, emulator):
        for scene in SCENES:
            say(f"Running {scene.dag_id} ...")
            outcome = play(scene, airflow, emulator.client)
            if outcome.state != "success":
                raise AirflowError("\n".join(outcome.failures))
        say("Taking pictures ...")
        with started_chromium(browser_path) as browser:
            grid(browser, airflow, folder / "grid.png")
            connection_form(browser, airflow, folder / "connection-form.png")
            emulator_page(browser, emulator.client, folder / "emulator.png")


def main(argv: Sequence[str] | None = None) -> int:
    """Take the pictures.

    :param argv: arguments; those of the process when None.
    :return: 0, or 1 if they could not be taken.
    """
    parser = argparse.ArgumentParser(prog="python -m demo.pictures", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "images", help="where the pictures go")
    options = parser.parse_args(argv)
    with TemporaryDirectory(prefix="quatrix-pictures-") as home:
        try:
            take(options.folder, Path(home))
        except AirflowError as error:
            say(str(error))
            return 1
    say(f"The pictures are in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
