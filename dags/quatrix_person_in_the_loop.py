"""Wait for a person to pass a CAPTCHA, in Airflow or in the browser, then work.

Shows how a person helps a DAG on Airflow 3. A look at the session decides: if nothing is blocked, nobody
is asked. Otherwise the question appears under *Required Actions*, and a file says so to whoever looks after Quatrix.
Two ways lead on, and the run ends soon after the first of them:

- The person types the token of a passed CAPTCHA. It goes to Quatrix, and nothing waits for the browser any longer.
- The person signs in at Quatrix and passes the CAPTCHA there. The gate notices it at its next poll, or within five
  minutes where the block has ended the session, and the question is withdrawn.

What the person types lands in XCom, which is harmless here: a CAPTCHA token works once, and it is used at once. If it
was wrong, ``unblock`` fails and says so: get a new one, and clear ``is_anything_blocked`` with what follows it.

Needs the connection ``quatrix_default``, the standard provider, and a running triggerer. A blocked account can tell
nobody anything, so the file goes through the connection ``quatrix_with_api_key``, which no CAPTCHA stops; without that
connection the log of ``ask`` says that nobody was told. On Airflow 2 this file defines no DAG.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowOptionalProviderFeatureException, Param, task

from airflow_provider_quatrix.notifications.quatrix import QuatrixNotifier, when_blocked
from airflow_provider_quatrix.operators.session import QuatrixUnblockCaptchaOperator
from airflow_provider_quatrix.sensors.captcha import QuatrixCaptchaSensor

try:
    from airflow.providers.standard.operators.hitl import HITLEntryOperator
except AirflowOptionalProviderFeatureException:  # Airflow 2
    HITLEntryOperator = None

PATIENCE = timedelta(hours=12)

if HITLEntryOperator is not None:
    with DAG("quatrix_person_in_the_loop", schedule=None, catchup=False, tags=["quatrix"], doc_md=__doc__):

        @task.branch
        def is_anything_blocked() -> list[str]:
            """Look at the session, without any login while it is blocked."""
            from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

            return ["ask", "gate"] if QuatrixHook().captcha_blocked() else ["work"]

        @task(trigger_rule="none_failed_min_one_success")
        def work() -> str:
            """Call Quatrix; runs after the branch as well as after either way to pass the CAPTCHA."""
            from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

            return QuatrixHook().get_conn().profile().name

        # [START howto_person_in_the_loop]
        tell = QuatrixNotifier(
            quatrix_conn_id="quatrix_with_api_key",
            path="/operations/",
            text="{{ quatrix_captcha }}, or to enter a token under Required Actions of {{ ti.log_url }}",
        )
        ask = HITLEntryOperator(
            task_id="ask",
            subject="Quatrix wants a CAPTCHA",
            body="Pass the CAPTCHA by signing in at Quatrix: that is noticed, and this question goes away. "
            "Or enter the token that proves it. A token works once.",
            # Airflow checks a default too, so `minLength` would fail the task before anybody is asked.
            params={"token": Param("", type="string", title="CAPTCHA token")},
            notifiers=[when_blocked(tell)],
            # No answer is none: without this Airflow answers for the person, with an empty token.
            defaults=None,
            response_timeout=PATIENCE,
        )
        unblock = QuatrixUnblockCaptchaOperator(
            task_id="unblock",
            token="{{ ti.xcom_pull(task_ids='ask')['params_input']['token'] }}",  # noqa: S106 - a template
        )
        gate = QuatrixCaptchaSensor(
            task_id="gate",
            deferrable=True,
            poke_interval=5,  # seconds; a minute does in production
            timeout=PATIENCE,
        )
        # [END howto_person_in_the_loop]

        @task(trigger_rule="one_done")
        def end_waiting(ti: Any = None, dag: Any = None) -> None:
            """Skip what still waits, the question or the gate, once the other way has ended, well or badly."""
            from airflow.providers.common.compat.sdk import SkipMixin

            def states() -> dict[str, str]:
                found = ti.get_task_states(ti.dag_id, task_ids=["ask", "gate"], run_ids=[ti.run_id])
                return dict(found[ti.run_id])

            # What runs just now cannot be skipped: in a moment it has ended or waits.
            while "running" in states().values():
                time.sleep(1)
            waiting = [name for name, state in states().items() if state not in ("success", "failed", "skipped")]
            SkipMixin().skip(ti, [dag.get_task(name) for name in waiting])

        look, done = is_anything_blocked(), work()
        look >> [ask, gate, done]
        ask >> unblock
        [unblock, gate] >> end_waiting()
        [unblock, gate] >> done
