"""Sign in once, work in many tasks over that one session, keep it alive, sign out at the end.

Shows setup and teardown: the login runs first, so that the connection signs in exactly once however many tasks and
workers follow, and the logout runs in the end, also after a task in the middle has failed.

Needs the connection ``quatrix_default``.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_quatrix.operators.session import (
    QuatrixKeepaliveOperator,
    QuatrixLoginOperator,
    QuatrixLogoutOperator,
)

with DAG("quatrix_session_lifecycle", schedule=None, catchup=False, tags=["quatrix"], doc_md=__doc__):
    # [START howto_hook]
    @task
    def work(batch: int) -> str:
        """Call Quatrix as the signed-in user; the hook finds the session that the login left."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        profile = QuatrixHook().get_conn().profile()
        return f"Batch {batch} was done as {profile.name}"

    # [END howto_hook]

    # [START howto_session_lifecycle]
    login = QuatrixLoginOperator(task_id="login").as_setup()
    keepalive = QuatrixKeepaliveOperator(task_id="keepalive")
    logout = QuatrixLogoutOperator(task_id="logout").as_teardown(setups=login)

    login >> work.expand(batch=[1, 2, 3, 4, 5]) >> keepalive >> logout
    # [END howto_session_lifecycle]
