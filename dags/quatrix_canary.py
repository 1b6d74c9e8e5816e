"""Find out every quarter of an hour whether Quatrix works, before a partner does.

A small file goes there and back, and is compared and removed. The task fails within two minutes, without another try,
so that an alert on its failures, or on the metrics that it keeps fresh (docs/metrics.md), tells at once.

Needs the connection ``quatrix_default``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, task

# [START howto_canary]
with DAG(
    "quatrix_canary",
    schedule="*/15 * * * *",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["quatrix"],
    doc_md=__doc__,
):

    @task(retries=0, execution_timeout=timedelta(minutes=2))
    def there_and_back() -> float:
        """Send a file, fetch it, compare and remove it; return the seconds that took."""
        import time
        from pathlib import Path
        from tempfile import TemporaryDirectory
        from uuid import uuid4

        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        hook, remote, began = QuatrixHook("quatrix_default"), f"/canary-{uuid4().hex}.txt", time.monotonic()
        with TemporaryDirectory() as folder:
            sent, got = Path(folder, "sent"), Path(folder, "got")
            sent.write_text(remote)
            try:
                hook.upload(sent, remote)
                hook.download(remote, got)
            finally:
                hook.delete(remote, permanently=True, missing_ok=True)
            if got.read_text() != remote:
                raise ValueError("other bytes came back than were sent")
        return time.monotonic() - began

    there_and_back()
# [END howto_canary]
