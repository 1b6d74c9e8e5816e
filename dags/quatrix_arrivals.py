"""Start a run for files as they arrive, handle each once, and put it aside.

Shows an asset that is told of new and changed files, on Airflow 3. The watcher lists the folder from the triggerer, for
all who watch it together. A file may be told twice, and Airflow may leave an event to the next run. So the first step
claims the files of its events and those that are there: a file that another run has claimed is not in its result, nor
is one that the service reports as infected.

Needs the connection ``quatrix_default`` and a running triggerer. On Airflow 2, which has no watchers, this file defines
no DAG.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Asset, task

from airflow_provider_quatrix.triggers.files import QuatrixFileEventTrigger

try:
    from airflow.sdk import AssetWatcher
except ImportError:  # Airflow 2
    AssetWatcher = None

if AssetWatcher is not None:
    # [START howto_file_event_trigger]
    trigger = QuatrixFileEventTrigger(
        "/partner/drop/*.csv",
        min_age=5,  # seconds; a minute or more in production, as long as a partner's client may pause
        poll_interval=10,
    )
    orders = Asset("partner_orders", watchers=[AssetWatcher(name="drop", trigger=trigger)])
    # [END howto_file_event_trigger]

    with DAG(
        "quatrix_arrivals",
        schedule=[orders],
        catchup=False,
        default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
        tags=["quatrix"],
        doc_md=__doc__,
    ):
        # [START howto_claim_arrivals]
        @task
        def claim(triggering_asset_events: Any = None) -> dict[str, list[dict[str, Any]]]:
            """Take the files that this run is to handle."""
            from airflow_provider_quatrix.hooks.arrivals import claim_arrivals

            return claim_arrivals(triggering_asset_events[orders], "/partner/processing", watcher=trigger)

        # [END howto_claim_arrivals]

        @task
        def handle(files: list[dict[str, Any]]) -> int:
            """Work on files that no other run has."""
            from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

            return sum(QuatrixHook().stat(file["path"]).size for file in files)

        # [START howto_finish_arrivals]
        @task
        def finish(claimed: dict[str, list[dict[str, Any]]]) -> list[str]:
            """Put the files aside, and those with a virus elsewhere."""
            from airflow_provider_quatrix.hooks.arrivals import finish_arrivals

            done = finish_arrivals(claimed["files"], "/partner/done")
            refused = finish_arrivals(claimed["refused"], "/partner/quarantine")
            return [file["path"] for file in (*done, *refused)]

        # [END howto_finish_arrivals]

        claimed = claim()
        handle(claimed["files"]) >> finish(claimed)
