"""How much the tests of a whole Airflow ask of it: enough to tell, or as much as ``make test-scale`` wants."""

from __future__ import annotations

import os

FULL = "QUATRIX_TEST_SCALE" in os.environ
