"""The same work twice: over the shared session, and with a sign-in of its own in each task."""

from __future__ import annotations

import os

from airflow.sdk import DAG, task

TASKS = int(os.environ["BENCH_TASKS"])

with DAG("bench_logins_shared", schedule=None, catchup=False):

    @task(retries=0)
    def ask_over_the_shared_session(number: int) -> None:
        """Request the profile as a user of this provider does."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        QuatrixHook("quatrix_default").get_conn().profile()

    ask_over_the_shared_session.expand(number=list(range(TASKS)))

with DAG("bench_logins_basic", schedule=None, catchup=False):

    @task(retries=0)
    def sign_in_and_ask(number: int) -> None:
        """Request the profile as a user of the http provider does."""
        from airflow.providers.http.hooks.http import HttpHook

        hook = HttpHook(method="GET", http_conn_id="quatrix_http")
        session_id = hook.run("api/1.0/session/login").json()["session_id"]
        hook.run("api/1.0/profile", headers={"X-Auth-Token": session_id})

    sign_in_and_ask.expand(number=list(range(TASKS)))
