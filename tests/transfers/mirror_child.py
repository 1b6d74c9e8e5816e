"""Mirrors folders as tasks would, each in a process of its own that may be killed at any of its steps."""

from __future__ import annotations

import json
import os
from typing import Any

from forking import serve
from killed_tries import kill_at

from airflow_provider_quatrix.hooks.attempt import Attempt
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook


def mirror(order: dict[str, Any]) -> dict[str, Any]:
    connection = {"conn_type": "quatrix", "host": order["url"], "extra": {"api_key": order["api_key"]}}
    os.environ |= {
        "AIRFLOW_CONN_QUATRIX_DEFAULT": json.dumps(connection),
        "AIRFLOW__QUATRIX__SESSION_STORE": "killed_tries.FileStore",
        "QUATRIX_TEST_STORE": order["notes"],
    }
    hook = QuatrixHook()
    if order["kill_at"]:
        kill_at(order["kill_at"])
    how = dict(order["how"])
    hook.attempt = Attempt(how.pop("resume_key"), is_retry=how.pop("is_retry", False))
    results = getattr(hook, order["way"])(order["source"], order["target"], **how)
    if not results.dry_run:
        hook.attempt.forget_done()
    return {
        "sent": sorted(result.path for result in results if not result.skipped),
        "skipped": sorted(result.path for result in results if result.skipped),
        "deleted": sorted(results.deleted),
    }


if __name__ == "__main__":
    serve(lambda order: json.dumps(mirror(order)))
