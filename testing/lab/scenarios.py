"""What happens to the cluster, and what the emulator counts meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from testing.lab.checks import (
    Check,
    all_green,
    at_most,
    calls_per_interval,
    exactly,
    sent_again,
    variable_calls,
)
from testing.lab.cluster import FILES, OLDER, POLL_SECONDS
from testing.lab.older import RESULT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from testing.lab.cluster import Cluster

DEFAULT = "quatrix_default"
RUN_SECONDS = 900.0
PATIENCE = 240.0
# How long calls of waiters are counted: three intervals begin meanwhile, and no fourth if the machine is not busy.
COUNTING_SECONDS = 2.9 * POLL_SECONDS
FILE_BYTES = 300_000_000
PASSWORD = "Lab-Passw0rd"  # noqa: S105 - of users who exist in the emulator only


@dataclass
class Lab:
    """A cluster that runs, and what was found.

    :param cluster: the cluster.
    :param checks: verdicts so far.
    """

    cluster: Cluster
    checks: list[Check] = field(default_factory=list)

    def account(self, conn_id: str) -> str:
        """Make a user of its own for a scenario, so that no scenario sees another's session, and a connection.

        :param conn_id: id of the connection.
        :return: the user.
        """
        email = f"{conn_id}@example.com"
        self.cluster.emulator.add_user(email, PASSWORD)
        self.cluster.airflow.add_connection(conn_id, "http://emulator:8580", email, PASSWORD)
        return email

    def logins(self, email: str) -> int:
        """Count login attempts.

        :param email: whose.
        :return: their number.
        """
        return int(self.cluster.emulator.users[email]["logins"])

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Start a run.

        :param dag_id: which DAG.
        :param conf: its configuration.
        :return: the run's id.
        """
        self.cluster.airflow.unpause(dag_id)
        return self.cluster.airflow.trigger(dag_id, conf)

    def states(self, dag_id: str, *run_ids: str) -> list[str | None]:
        """Wait for the end of runs.

        :param dag_id: which DAG.
        :param run_ids: its runs.
        :return: states of all their tasks.
        """
        states = []
        for run_id in run_ids:
            self.cluster.airflow.wait_for_run(dag_id, run_id, RUN_SECONDS)
            states += [task["state"] for task in self.cluster.airflow.task_instances(dag_id, run_id)]
        return states


class VariableMeter:
    """Counts the calls for the record inside a ``with`` block.

    :param lab: the lab.
    """

    def __init__(self, lab: Lab) -> None:
        self._log = lab.cluster.log("airflow-apiserver")
        self.calls: Mapping[tuple[str, str], int] = Counter()

    def __enter__(self) -> VariableMeter:
        self._from = self._log.stat().st_size
        return self

    def __exit__(self, *_: object) -> None:
        with self._log.open(errors="replace") as lines:
            lines.seek(self._from)
            self.calls = variable_calls(lines)

    def count(self, method: str) -> int:
        """Tell how many calls there were.

        :param method: HTTP method.
        :return: the number.
        """
        return self.calls.get((method, "quatrix_session"), 0)


def many_tasks(lab: Lab) -> None:
    """400 tasks from an empty record; then 50 that find an open session."""
    email = lab.cluster.settings["QUATRIX_EMULATOR_USER"]
    scenario = "400 tasks, two workers"
    before = lab.cluster.emulator.calls("GET", "profile")
    states = lab.states("lab_tasks", lab.trigger("lab_tasks", conn_id=DEFAULT, tasks=400))
    lab.checks += [
        all_green(scenario, states),
        exactly(scenario, "logins", 1, lab.logins(email)),
        exactly(scenario, "profile calls", 400, lab.cluster.emulator.calls("GET", "profile") - before),
    ]
    scenario = "50 more tasks"
    with VariableMeter(lab) as variables:
        states = lab.states("lab_tasks", lab.trigger("lab_tasks", conn_id=DEFAULT, tasks=50))
    lab.checks += [
        all_green(scenario, states),
        exactly(scenario, "logins", 0, lab.logins(email) - 1),
        exactly(scenario, "Variable reads", 50, variables.count("GET")),
    ]


def expiries(lab: Lab) -> None:
    """The session ends three times while tasks run."""
    email = lab.account("lab_expiry")
    emulator = lab.cluster.emulator
    before, tasks = emulator.calls("GET", "profile"), 40
    run_id = lab.trigger("lab_tasks", conn_id="lab_expiry", tasks=tasks)

    def asked(count: int) -> Callable[[], bool]:
        return lambda: emulator.calls("GET", "profile") - before >= count

    for quarter in (1, 2, 3):
        lab.cluster.airflow.wait_until(
            asked(quarter * tasks // 4), f"{quarter} of 4 parts of the tasks have asked", PATIENCE
        )
        emulator.expire_sessions(email)
    scenario = f"{tasks} tasks, three expiries"
    lab.checks.append(all_green(scenario, lab.states("lab_tasks", run_id)))
    lab.checks.append(exactly(scenario, "logins after the first", 3, lab.logins(email) - 1))


def blocked(lab: Lab) -> None:
    """100 tasks, half of them of a blocked account that has an open session, half of one that has none."""
    opened, closed = lab.account("lab_blocked_open"), lab.account("lab_blocked")
    lab.states("lab_tasks", lab.trigger("lab_tasks", conn_id="lab_blocked_open", tasks=1))
    for email in (opened, closed):
        lab.cluster.emulator.block_user(email)
    runs = {
        email: lab.trigger("lab_blocked", conn_id=conn_id, tasks=50)
        for email, conn_id in ((opened, "lab_blocked_open"), (closed, "lab_blocked"))
    }
    scenario = "50 tasks, blocked, session open"
    lab.checks.append(all_green(scenario, lab.states("lab_blocked", runs[opened])))
    lab.checks.append(exactly(scenario, "logins after the block", 0, lab.logins(opened) - 1))
    scenario = "50 tasks, blocked, no session"
    lab.checks.append(all_green(scenario, lab.states("lab_blocked", runs[closed])))
    lab.checks.append(at_most(scenario, "logins", 1, lab.logins(closed)))


def waiters(lab: Lab) -> None:
    """200 deferred sensors wait in two triggerers, one of which is killed."""
    email = lab.account("lab_waiters")
    emulator = lab.cluster.emulator
    lab.states("lab_tasks", lab.trigger("lab_tasks", conn_id="lab_waiters", tasks=1))
    emulator.block_user(email)
    run_ids = [lab.trigger("lab_waiters") for _ in range(4)]

    def held_by() -> Counter[str]:
        tasks = [task for run_id in run_ids for task in lab.cluster.airflow.task_instances("lab_waiters", run_id)]
        return Counter(task["triggerer_job"]["hostname"] for task in tasks if task["triggerer_job"])

    def count_calls(scenario: str, triggerers: int) -> Check:
        began = time.monotonic()
        before = emulator.calls("GET", "session/keepalive")
        time.sleep(COUNTING_SECONDS)
        calls = emulator.calls("GET", "session/keepalive") - before
        # The machine is busy, so reading the counter may take a while.
        return calls_per_interval(scenario, calls, time.monotonic() - began, POLL_SECONDS, triggerers)

    lab.cluster.airflow.wait_until(lambda: sum(held_by().values()) == 200, "200 sensors wait", PATIENCE)
    holders = held_by()
    scenario = "200 waiters, two triggerers"
    lab.checks.append(exactly(scenario, "triggerers that hold some", 2, len(holders)))
    lab.checks.append(count_calls(scenario, 2))
    victim, survivor = sorted(holders)
    lab.cluster.kill(victim)
    lab.cluster.airflow.wait_until(lambda: held_by() == {survivor: 200}, f"{survivor} has all sensors", PATIENCE)
    scenario = "one triggerer killed"
    lab.checks.append(count_calls(scenario, 1))
    emulator.unblock_user(email)
    lab.checks.append(all_green(scenario, lab.states("lab_waiters", *run_ids)))
    lab.checks.append(exactly(scenario, "logins while waiting", 0, lab.logins(email) - 1))


def worker_killed(lab: Lab) -> None:
    """The worker that has uploaded half of a file of 300 MB is killed; the other goes on."""
    email = lab.account("lab_killed")
    emulator, airflow = lab.cluster.emulator, lab.cluster.airflow
    folder = lab.cluster.volumes / FILES
    block = os.urandom(FILE_BYTES // 100)
    with (folder / "large.bin").open("wb") as file:
        for _ in range(100):
            file.write(block)
    received = emulator.counters["upload_bytes"]
    run_id = lab.trigger("lab_killed")

    def tasks_of(task_id: str) -> list[dict[str, Any]]:
        return [task for task in airflow.task_instances("lab_killed", run_id) if task["task_id"] == task_id]

    lab.cluster.airflow.wait_until(
        lambda: any(upload["size"] >= FILE_BYTES // 2 for upload in emulator.uploads), "half is uploaded", PATIENCE
    )
    before = lab.logins(email)
    (upload,) = tasks_of("upload")
    held = [task["state"] for task in tasks_of("hold")]
    lab.cluster.kill(upload["hostname"])
    (folder / "killed").touch()
    scenario = "worker killed in its upload"
    lab.checks.append(exactly(scenario, "tasks beside it that ran", 6, held.count("running")))
    lab.checks.append(all_green(scenario, lab.states("lab_killed", run_id)))
    (resumed,) = tasks_of("upload")
    lab.checks += [
        exactly(scenario, "logins after the kill", 0, lab.logins(email) - before),
        exactly(scenario, "workers that uploaded", 2, len({upload["hostname"], resumed["hostname"]})),
        sent_again(scenario, FILE_BYTES, emulator.counters["upload_bytes"] - received),
        exactly(
            scenario,
            "files that are whole",
            1,
            int(emulator.file_sha256(email, "/large.bin") == _sha256(folder / "large.bin")),
        ),
    ]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def older(lab: Lab) -> None:
    """400 tasks on Airflow 2.11 with LocalExecutor and PostgreSQL, on a host of that line."""
    # Let it have the machine.
    lab.cluster.stop_all_but("postgres")
    lab.cluster.start_older().wait(RUN_SECONDS)
    result = json.loads((lab.cluster.volumes / OLDER / RESULT).read_text())
    scenario = "400 tasks, Airflow 2.11"
    lab.checks += [
        all_green(scenario, result["states"]),
        exactly(scenario, "logins", 1, result["logins"]),
        exactly(scenario, "profile calls", 400, result["profile"]),
    ]


SCENARIOS = (many_tasks, expiries, blocked, waiters, worker_killed, older)
