"""Mirror a tree from Quatrix, copying only what is new or changed and deleting what is gone: in two ways.

``foretell`` and ``download`` use the operator, which tells beforehand what it will do, is quick with many files and
takes up again what a killed worker left. ``mirror`` does it through ``ObjectStoragePath``: both ends are paths, so the
target may as well be a bucket, or Quatrix again. Copies are whole or not there at all and keep the time of their
source, by which the next run knows them.

Needs the connection ``quatrix_default``. The mirrors are folders of the worker, by default in one for temporary files;
set the environment variable ``QUATRIX_EXAMPLE_FOLDER`` for another one.
"""

from __future__ import annotations

import os
import tempfile
from datetime import timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task

# Airflow 2 warns of the first path with a protocol that it has not met; Airflow 3 needs no import.
import airflow_provider_quatrix.fs.quatrix  # noqa: F401
from airflow_provider_quatrix.operators.files import QuatrixDownloadOperator

FOLDER = Path(os.environ.get("QUATRIX_EXAMPLE_FOLDER") or tempfile.gettempdir()).absolute()

# [START howto_object_storage_path]
SOURCE = ObjectStoragePath("quatrix://quatrix_default@/published")
TARGET = ObjectStoragePath(f"file://{FOLDER}/quatrix-mirror")


def versions(root: ObjectStoragePath) -> dict[str, tuple[int, float]]:
    """Return size and time of all files below a path; Quatrix needs one call per folder for it."""
    start = len(root.path.rstrip("/")) + 1
    found = root.fs.find(root.path, detail=True)
    return {path[start:]: (file["size"], round(file["mtime"], 3)) for path, file in found.items()}


with DAG(
    "quatrix_mirror",
    schedule=None,
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["quatrix"],
    doc_md=__doc__,
):

    @task
    def mirror() -> dict[str, int]:
        """Make the target what the source is; says how many files were copied and deleted."""
        if not SOURCE.is_dir():
            raise FileNotFoundError(f"There is no folder {SOURCE}")
        wanted, present = versions(SOURCE), versions(TARGET)
        changed = [name for name, version in wanted.items() if present.get(name) != version]
        gone = present.keys() - wanted.keys()
        for name in changed:
            (TARGET / name).parent.mkdir(parents=True, exist_ok=True)
            (SOURCE / name).copy(TARGET / name)
        for name in gone:
            (TARGET / name).unlink()
        return {"copied": len(changed), "deleted": len(gone)}

    # [END howto_object_storage_path]

    mirror()

    # [START howto_mirror]
    how = {"source": "/published", "target": FOLDER / "quatrix-published", "if_exists": "update", "delete_extra": True}
    foretell = QuatrixDownloadOperator(task_id="foretell", create_parents=True, dry_run=True, **how)
    download = QuatrixDownloadOperator(task_id="download", create_parents=True, **how)
    # [END howto_mirror]

    foretell >> download
