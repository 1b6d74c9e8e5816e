"""What importing a module costs on top of Airflow's own modules, in fresh interpreters."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.get_provider_info import get_provider_info
from bench.measure import run as run_program
from bench.report import Figure, Report, at_most

if TYPE_CHECKING:
    from pathlib import Path

TOOLS: tuple[str, ...] = ()
REFERENCE = "airflow.providers.standard.operators.python"
GOAL = "airflow_provider_quatrix.operators.session"
LIMIT = 1.5
OTHERS = (
    "airflow.providers.standard.sensors.filesystem",
    "airflow.providers.http.operators.http",
    "airflow.providers.http.sensors.http",
    "airflow.providers.sftp.operators.sftp",
    "airflow.providers.sftp.sensors.sftp",
)
ROUNDS = 11
QUICK_ROUNDS = 1

# What a DAG file has loaded before it imports any operator: Airflow's own modules, and what every provider uses of
# them.
# Without the decorator `task`, as that also imports the PythonOperator.
BASE = """\
import airflow.sdk
from airflow.sdk import DAG, BaseHook, BaseOperator, BaseSensorOperator, Context, Variable
from airflow.providers.common.compat.sdk import (
    AirflowException, AirflowFailException, AirflowSkipException, BaseHook, BaseOperator, BaseSensorOperator, conf
)
"""
PROGRAM = """\
import importlib, json, sys, time
began, cpu, known = time.perf_counter(), time.process_time(), len(sys.modules)
importlib.import_module({module!r})
print(json.dumps([time.perf_counter() - began, time.process_time() - cpu, len(sys.modules) - known]))
"""


def own_modules() -> list[str]:
    """Return this provider's modules of operators and sensors.

    :return: as the provider declares them.
    """
    info: dict[str, Any] = get_provider_info()
    return [module for kind in ("operators", "sensors") for entry in info[kind] for module in entry["python-modules"]]


def cost(module: str, home: Path) -> tuple[float, float, int]:
    """Import a module in a fresh interpreter.

    :param home: for Airflow's files.
    :return: seconds, CPU seconds, and how many modules were loaded with it.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "PYTHON"))}
    env |= {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    _, text = run_program([sys.executable, "-c", BASE + PROGRAM.format(module=module)], env=env, timeout=120)
    seconds, cpu, modules = json.loads(text.splitlines()[-1])
    return seconds, cpu, modules


def run(scratch: Path, *, quick: bool) -> Report:
    """Import each module several times, in turns.

    :param scratch: empty folder.
    :param quick: the two modules of the goal only, once.
    :return: milliseconds by module, compared with the PythonOperator's.
    """
    modules = [REFERENCE, GOAL] if quick else [REFERENCE, *own_modules(), *OTHERS]
    wall: dict[str, list[float]] = {module: [] for module in modules}
    cpu: dict[str, list[float]] = {module: [] for module in modules}
    count: dict[str, list[float]] = {module: [] for module in modules}
    for module in modules:
        # Compiles modules that are not compiled yet.
        cost(module, scratch)
    for _ in range(QUICK_ROUNDS if quick else ROUNDS):
        for module in modules:
            seconds, cpu_seconds, brought = cost(module, scratch)
            wall[module].append(1000 * seconds)
            cpu[module].append(1000 * cpu_seconds)
            count[module].append(brought)
    figures = [
        Figure("Import", "ms", wall, REFERENCE),
        Figure("Import, CPU", "ms", cpu, REFERENCE),
        Figure("Modules that come along", "", count),
    ]
    return Report(
        "Importing an operator",
        "A fresh interpreter imports Airflow's own modules first: `airflow.sdk` with DAG and the base classes of "
        "operators, sensors and hooks, and the same by `airflow.providers.common.compat.sdk`. Then the import of one "
        "more module is timed, as a DAG file does it; all modules take turns. Compared with the standard provider's "
        "PythonOperator.",
        figures,
        [
            at_most(
                f"importing `{GOAL}` takes at most {LIMIT:g} times what importing the PythonOperator takes",
                figures[0].ratio(GOAL),
                LIMIT,
            )
        ],
    )
