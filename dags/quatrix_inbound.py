"""Wait for files of a partner, download them, and archive them by a move.

Shows a sensor that hands its files on: the download and the archive get exactly the files that were found, whatever
arrives meanwhile. Files that are still being written are left alone until nobody has written to them for a while.

Needs the connection ``quatrix_default`` and a running triggerer. The files are downloaded to a folder of the worker, by
default one for temporary files; set the environment variable ``QUATRIX_EXAMPLE_FOLDER`` for another one.
"""

from __future__ import annotations

import os
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_quatrix.operators.files import QuatrixDownloadOperator, QuatrixMoveOperator

FOLDER = Path(os.environ.get("QUATRIX_EXAMPLE_FOLDER") or tempfile.gettempdir()) / "quatrix-inbound"

with DAG(
    "quatrix_inbound",
    schedule=None,
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["quatrix"],
    doc_md=__doc__,
):
    # [START howto_file_sensor_decorator]
    @task.quatrix_file_sensor(
        path="/partner/inbox/*.csv",
        min_age=5,  # seconds; a minute or more in production, as long as a partner's client may pause
        poke_interval=5,
        timeout=12 * 60 * 60,
        deferrable=True,
    )
    def arrived(files: list[dict[str, Any]]) -> list[str]:
        """Return the paths of the files that have arrived."""
        return [file["path"] for file in files]

    # [END howto_file_sensor_decorator]

    found = arrived()

    # [START howto_download]
    download = QuatrixDownloadOperator(
        task_id="download",
        source=found,
        target=f"{FOLDER}/{{{{ run_id }}}}/",
        create_parents=True,
    )
    # [END howto_download]

    # [START howto_move]
    archive = QuatrixMoveOperator(
        task_id="archive",
        source=found,
        target="/partner/archive/",
        if_exists="rename",
        create_parents=True,
    )
    # [END howto_move]

    download >> archive
