"""Assets that are told of files, on Airflow 3 only, and a DAG that each file starts."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, Asset, task

try:
    from airflow.sdk import AssetWatcher
except ImportError:  # Airflow 2
    AssetWatcher = None

from airflow_provider_quatrix.triggers.files import QuatrixFileEventTrigger

if AssetWatcher is not None:
    trigger = QuatrixFileEventTrigger("/in/*.csv", quatrix_conn_id="system_arrivals", poll_interval=1)
    inbox = Asset("system_arrivals", watchers=[AssetWatcher(name="files", trigger=trigger)])

    with DAG("system_arrivals", schedule=[inbox], catchup=False, max_active_runs=1):

        @task
        def handle(triggering_asset_events: Any = None) -> list[str]:
            """Take what has arrived, and put it aside."""
            from airflow_provider_quatrix.hooks.arrivals import claim_arrivals, finish_arrivals

            claimed = claim_arrivals(triggering_asset_events[inbox], "/work", quatrix_conn_id="system_arrivals")
            moved = finish_arrivals(claimed.files, "/done", quatrix_conn_id="system_arrivals")
            return [file["path"] for file in moved]

        handle()
