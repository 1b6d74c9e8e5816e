from __future__ import annotations

import os
import subprocess
import sys

from testing.lab.cluster import DAGS, FOR_DAGS

PROGRAM = """
import sys
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
print(sorted((dag_id, len(dag.tasks)) for dag_id, dag in bag.dags.items()))
"""


def test_the_dags_of_the_lab_load_on_both_lines() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(DAGS)],
        env=os.environ | FOR_DAGS | {"QUATRIX_EXAMPLE_FOLDER": "/files"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tasks = [("lab_blocked", 2), ("lab_killed", 3), ("lab_tasks", 2), ("lab_waiters", 50)]
    assert done.stdout.splitlines()[-1] == str(tasks)
