"""What demo, bench and tests share: a whole Airflow, the emulator process and the distributed lab from Python."""

from __future__ import annotations
