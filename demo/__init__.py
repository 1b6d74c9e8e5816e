"""The demo: example DAGs in a real Airflow against the emulator."""

from __future__ import annotations
