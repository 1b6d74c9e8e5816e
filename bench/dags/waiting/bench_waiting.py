"""Many tasks that wait until a blocked session works, in two ways, all from the triggerer without a worker."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.providers.http.sensors.http import HttpSensor
from airflow.sdk import DAG
from airflow.triggers.base import StartTriggerArgs

from airflow_provider_quatrix.operators.session import QuatrixLoginOperator
from airflow_provider_quatrix.sensors.captcha import QuatrixCaptchaSensor

RUNS = int(os.environ["BENCH_RUNS"])
WAITS = int(os.environ["BENCH_WAITS_PER_RUN"])
INTERVAL = float(os.environ["BENCH_INTERVAL"])
TIMEOUT = 4 * 3600


class HttpSensorFromTrigger(HttpSensor):
    """The http provider's sensor, which defers at once to its trigger, without a worker."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="airflow.providers.http.triggers.http.HttpSensorTrigger",
            trigger_kwargs={
                "endpoint": self.endpoint,
                "http_conn_id": self.http_conn_id,
                "method": self.method,
                "headers": self.headers,
                "poke_interval": self.poke_interval,
            },
            next_method="execute_complete",
            next_kwargs=None,
            timeout=timedelta(seconds=self.timeout),
        )
        self.start_from_trigger = True


with DAG("bench_waiting_sign_in", schedule=None, catchup=False):
    QuatrixLoginOperator(task_id="sign_in")

with DAG("bench_waiting_captcha_sensor", schedule=None, catchup=False, max_active_runs=RUNS):
    for number in range(WAITS):
        QuatrixCaptchaSensor(task_id=f"wait_{number}", deferrable=True, poke_interval=INTERVAL, timeout=TIMEOUT)

with DAG("bench_waiting_http_sensor", schedule=None, catchup=False, max_active_runs=RUNS):
    for number in range(WAITS):
        HttpSensorFromTrigger(
            task_id=f"wait_{number}",
            http_conn_id="quatrix_http",
            method="GET",
            endpoint="api/1.0/session/keepalive",
            headers={"X-Auth-Token": os.environ["BENCH_SESSION"]},
            deferrable=True,
            poke_interval=INTERVAL,
            timeout=TIMEOUT,
        )
