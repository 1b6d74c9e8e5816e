from __future__ import annotations

from testing.airflow_settings import AIRFLOW_3

# The contracts are written for the import-linter of the newer line's environment, where make lint checks them.
collect_ignore_glob = [] if AIRFLOW_3 else ["test_*.py"]
