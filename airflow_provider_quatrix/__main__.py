"""What ``python -m airflow_provider_quatrix`` runs."""

from __future__ import annotations

import sys

from airflow_provider_quatrix.cli.main import main

sys.exit(main())
