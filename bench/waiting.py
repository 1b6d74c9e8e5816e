"""Many sensors that wait for one blocked session in one triggerer."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import requests

from bench.measure import MIB, BenchError, TreeMeter
from bench.report import Figure, Goal, Report, number
from testing.airflow_process import AirflowProcess
from testing.emulator_process import EMAIL, PASSWORD, EmulatorProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.measure import Usage

TOOLS: tuple[str, ...] = ()
DAGS = Path(__file__).parent / "dags" / "waiting"
OURS, THEIRS = "QuatrixCaptchaSensor", "HttpSensor, deferrable"
PARALLELISM = 16
START_SECONDS = 900.0
LOOK_SECONDS = 1.0
# Calls do not prolong a blocked session, and the wait takes longer than its 15 minutes.
SETTINGS = ("--setting", "idle_seconds=86400")
# HttpSensor's trigger takes 404 for "not yet". After the 401 that Quatrix sends, it polls again without any pause.
NOT_YET = {"captcha_status": 404}


HTTP_SENSOR_NOTE = (
    "For the HttpSensor the emulator answers a blocked session with 404 in place of 401: its trigger takes 404 for "
    "'not yet', but asks again without any pause after every other error. It has to be given a session id, and it goes "
    "back to a worker to end."
)


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    :param runs: runs of the DAG, all at a time.
    :param waits_per_run: sensors in each. The triggerer loads a task's whole DAG for each sensor that starts there. So
        many small runs measure the wait, and one large run would measure the loading.
    :param interval: seconds between polls.
    :param intervals: how many of them are measured.
    :param end_seconds: how long the tasks may take to end after the block was lifted.
    """

    runs: int
    waits_per_run: int
    interval: float
    intervals: int
    end_seconds: float

    @property
    def waits(self) -> int:
        """Sensors in all."""
        return self.runs * self.waits_per_run


FULL = Sizes(runs=20, waits_per_run=50, interval=20.0, intervals=6, end_seconds=1200.0)
QUICK = Sizes(runs=2, waits_per_run=3, interval=2.0, intervals=3, end_seconds=120.0)


@dataclass(frozen=True)
class Outcome:
    """How the waiting went.

    :param calls: API calls per interval while all waited.
    :param logins: while all waited.
    :param usage: of the triggerer while all waited.
    :param released: seconds from the end of the block until no task waited any more.
    :param ended: seconds from the end of the block until all tasks were green.
    :param green: tasks that were green at the end.
    """

    calls: float
    logins: int
    usage: Usage
    released: float
    ended: float
    green: int


def triggerers(home: Path) -> list[psutil.Process]:
    """Find the triggerer of an Airflow.

    :param home: its home folder, in which its processes run.
    :return: the processes at the top of it.
    """
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "environ"]):
        if (process.info["environ"] or {}).get("AIRFLOW_HOME") != str(home):
            continue
        if "triggerer" in " ".join(process.info["cmdline"] or []):
            found.append(process)
    pids = {process.pid for process in found}
    return [process for process in found if process.ppid() not in pids]


class Waiting:
    """A DAG of sensors that wait.

    :param airflow: where it runs.
    :param emulator: the service, whose user is blocked.
    :param dag_id: the DAG.
    :param sizes: how much is measured.
    """

    def __init__(self, airflow: AirflowProcess, emulator: EmulatorProcess, dag_id: str, sizes: Sizes) -> None:
        self._airflow = airflow
        self._emulator = emulator
        self._dag_id = dag_id
        self._sizes = sizes

    def measure(self) -> Outcome:
        """Start the sensors, measure, lift the block and wait for the end.

        :return: the outcome.
        """
        sizes, client = self._sizes, self._emulator.client
        runs = [self._airflow.trigger(self._dag_id) for _ in range(sizes.runs)]
        waiting = self._until(runs, lambda states: states["deferred"] == sizes.waits, START_SECONDS)
        if waiting["deferred"] != sizes.waits:
            raise BenchError(f"only {waiting['deferred']} of {sizes.waits} tasks wait after {START_SECONDS:g} s")
        # The triggerer takes them up after they are deferred. After this time the last one has begun to poll.
        time.sleep(2 * sizes.interval)
        before = client.counters
        roots = triggerers(self._airflow.home)
        if not roots:
            raise BenchError("the triggerer was not found")
        with TreeMeter(lambda: roots) as meter:
            time.sleep(sizes.intervals * sizes.interval)
        after = client.counters
        client.unblock_user(EMAIL)
        began = time.monotonic()
        self._until(runs, lambda states: states["deferred"] == 0, sizes.end_seconds)
        released = time.monotonic() - began
        states = self._until(
            runs, lambda states: states["success"] + states["failed"] == sizes.waits, sizes.end_seconds
        )
        return Outcome(
            calls=(after["requests"] - before["requests"]) / sizes.intervals,
            logins=after["logins"] - before["logins"],
            usage=meter.usage,
            released=released,
            ended=time.monotonic() - began,
            green=states["success"],
        )

    def _until(self, runs: Sequence[str], condition: Callable[[Counter[str]], bool], timeout: float) -> Counter[str]:
        """Poll the tasks' states until they are as wanted; return them, or the last ones after the time is over."""
        ends = time.monotonic() + timeout
        while True:
            states = Counter(
                str(task["state"]) for run_id in runs for task in self._airflow.task_instances(self._dag_id, run_id)
            )
            if condition(states) or time.monotonic() > ends:
                return states
            time.sleep(LOOK_SECONDS)


def run(scratch: Path, *, quick: bool) -> Report:
    """Let sensors of both kinds wait for the same block, one kind after the other.

    :param scratch: empty folder.
    :param quick: with few sensors.
    :return: calls, seconds, CPU and memory.
    """
    sizes = QUICK if quick else FULL
    with ExitStack() as running:
        emulator = running.enter_context(EmulatorProcess(scratch / "emulator.log", *SETTINGS))
        http = {"conn_type": "http", "host": emulator.url}
        variables = {
            "AIRFLOW_CONN_QUATRIX_DEFAULT": json.dumps(emulator.connection),
            "AIRFLOW_CONN_QUATRIX_HTTP": json.dumps(http),
            "AIRFLOW__QUATRIX__LOCK_DIR": str(scratch / "locks"),
            "BENCH_RUNS": str(sizes.runs),
            "BENCH_WAITS_PER_RUN": str(sizes.waits_per_run),
            "BENCH_INTERVAL": str(sizes.interval),
            "BENCH_SESSION": _signed_in(emulator),
        }
        airflow = running.enter_context(
            AirflowProcess(scratch / "airflow", dags_folder=DAGS, parallelism=PARALLELISM, env=variables)
        )
        airflow.run("bench_waiting_sign_in")
        outcomes = {}
        for subject, dag_id, settings in (
            (OURS, "bench_waiting_captcha_sensor", {}),
            (THEIRS, "bench_waiting_http_sensor", NOT_YET),
        ):
            emulator.client.configure(**settings)
            airflow.unpause(dag_id)
            emulator.client.block_user(EMAIL)
            outcomes[subject] = Waiting(airflow, emulator, dag_id, sizes).measure()
    return _report(sizes, outcomes)


def _signed_in(emulator: EmulatorProcess) -> str:
    answer = requests.get(f"{emulator.client.api_url}session/login", auth=(EMAIL, PASSWORD), timeout=30)
    session_id: str = answer.json()["session_id"]
    return session_id


def _report(sizes: Sizes, outcomes: dict[str, Outcome]) -> Report:
    def figure(name: str, unit: str, value: Callable[[Outcome], float]) -> Figure:
        return Figure(name, unit, {subject: [value(each)] for subject, each in outcomes.items()}, THEIRS)

    ours = outcomes[OURS]
    return Report(
        "Waiting",
        f"{sizes.waits:,} sensors in one triggerer, in {sizes.runs} runs of one DAG, wait for one blocked session and "
        f"look every {sizes.interval:g} s. "
        "Compared with as many deferrable HttpSensors of the http provider that ask for keepalive with a session of "
        "the same user. Both start from the triggerer; the HttpSensor by a subclass, which spares it a first worker.",
        [
            figure("API calls per interval", "", lambda each: each.calls),
            figure("Logins while waiting", "", lambda each: each.logins),
            figure("Triggerer, CPU seconds per minute", "s", lambda each: each.usage.cpu / each.usage.wall * 60),
            figure("Triggerer, peak memory", "MiB", lambda each: each.usage.peak / MIB),
            figure("From unblock to all released", "s", lambda each: each.released),
            figure("From unblock to all green", "s", lambda each: each.ended),
            figure("Tasks green", "", lambda each: each.green),
        ],
        [
            Goal(
                "one API call per interval, no login, and all succeed",
                f"{number(ours.calls)} calls, {ours.logins} logins, {ours.green} green",
                ours.calls <= 1 + 1 / sizes.intervals and ours.logins == 0 and ours.green == sizes.waits,
            )
        ],
        [
            HTTP_SENSOR_NOTE,
        ],
    )
