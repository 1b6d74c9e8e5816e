"""Runs tasks in a process of its own, in which OpenLineage is switched on from the start."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

# What Airflow's own parts warn of is not for us to mend.
warnings.simplefilter("ignore")

from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector  # noqa: E402
from airflow.providers.common.compat.sdk import ObjectStoragePath, task  # noqa: E402
from dag_runs import new_dag, run  # noqa: E402

from airflow_provider_quatrix.operators.files import (  # noqa: E402
    QuatrixCopyOperator,
    QuatrixDownloadOperator,
    QuatrixMoveOperator,
    QuatrixUploadOperator,
)
from airflow_provider_quatrix.operators.session import QuatrixLoginOperator  # noqa: E402
from airflow_provider_quatrix.operators.transfer import QuatrixTransferOperator  # noqa: E402


@task
def by_hook(source: str, target: str) -> None:
    """Upload in a task that is no operator of ours."""
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    QuatrixHook().upload(source, target)


@task
def by_path(source: str, target: str) -> None:
    """Read one path of Airflow's object storage, and write another."""
    with ObjectStoragePath(source).open("rb") as old, ObjectStoragePath(target).open("wb") as new:
        new.write(old.read())


@task
def by_copy(source: str, target: str) -> None:
    """Let Airflow's object storage copy."""
    ObjectStoragePath(source).copy(ObjectStoragePath(target))


KINDS: dict[str, Any] = {
    "login": QuatrixLoginOperator,
    "upload": QuatrixUploadOperator,
    "download": QuatrixDownloadOperator,
    "copy": QuatrixCopyOperator,
    "move": QuatrixMoveOperator,
    "transfer": QuatrixTransferOperator,
    "by_hook": by_hook,
    "by_path": by_path,
    "by_copy": by_copy,
}


def forget_collected() -> None:
    """Empty what hooks have told: outside of tests, each task has a process of its own."""
    collector = get_hook_lineage_collector()
    for name in ("_inputs", "_input_counts", "_outputs", "_output_counts"):
        getattr(collector, name).clear()


def main(steps: list[list[Any]]) -> int:
    """Run one task after the other, each as a DAG of its own.

    :param steps: task id, kind, and arguments.
    :return: how many failed.
    """
    failed = 0
    for task_id, kind, arguments in steps:
        forget_collected()
        with new_dag() as dag:
            make = KINDS[kind]
            if hasattr(make, "override"):
                make.override(task_id=task_id)(**arguments)
            else:
                make(task_id=task_id, **arguments)
        failed += run(dag).state != "success"
    return failed


if __name__ == "__main__":
    sys.exit(main(json.loads(Path(sys.argv[1]).read_text())))
