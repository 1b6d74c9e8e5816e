"""The lab itself, alone in its namespaces with what it starts."""

from __future__ import annotations

import subprocess
import sys
import time

import requests

from airflow_provider_quatrix.emulator.client import EmulatorControlError
from testing.airflow_client import AirflowError
from testing.lab.checks import table
from testing.lab.cluster import Cluster
from testing.lab.hosts import HostError
from testing.lab.scenarios import SCENARIOS, Lab, older
from testing.output import say


def main() -> int:
    """Start the cluster, play all scenarios of Airflow 3.3 or those that are named, print the table.

    :return: 0 if all promises held.
    """
    began = time.monotonic()
    names = sys.argv[1:]
    chosen = [scenario for scenario in SCENARIOS if scenario.__name__ in names or (not names and scenario is not older)]
    # A /run of its own, so that no name of a namespace is left on the machine.
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    lab = Lab(Cluster())
    failure = ""
    try:
        say("Starting the hosts ...")
        lab.cluster.prepare()
        lab.cluster.start(["postgres"] if chosen == [older] else lab.cluster.services)
        for scenario in chosen:
            say(f"{time.monotonic() - began:4.0f} s  {(scenario.__doc__ or '').splitlines()[0]}")
            known = len(lab.checks)
            try:
                scenario(lab)
            finally:
                for check in lab.checks[known:]:
                    say(f"        {check.scenario}: {check.what} {check.wanted}: {check.measured}")
    except (AirflowError, HostError, EmulatorControlError, requests.RequestException) as error:
        failure = f"The lab failed: {error}"
    say(f"\n{table(lab.checks)}\n\n{time.monotonic() - began:.0f} s. Logs: {lab.cluster.folder / 'logs'}")
    if failure:
        say(failure)
    return int(bool(failure) or not all(check.held for check in lab.checks))


if __name__ == "__main__":
    sys.exit(main())
