"""What Airflow 2 needs before a connection can be made by hand: it maps none of its tables before all are known."""

from __future__ import annotations

from airflow.models import import_all_models

import_all_models()
