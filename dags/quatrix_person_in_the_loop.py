"""Ask a person for a CAPTCHA token when the account is blocked, unblock the session with it, then work.

Shows how a person helps a DAG on Airflow 3.1 and later. A look at the session decides: if nothing is blocked, nobody
is asked. Otherwise the question appears under *Required Actions*; the answer goes to Quatrix, and the work follows.
What the person types lands in XCom, which is harmless here: a CAPTCHA token works once, and it is used at once.

If the token was wrong, ``unblock`` fails and says so: get a new one and clear ``ask``.

Needs the connection ``quatrix_default`` and the standard provider. On Airflow 2 this file defines no DAG.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.common.compat.sdk import DAG, AirflowOptionalProviderFeatureException, Param, task

from airflow_provider_quatrix.operators.session import QuatrixUnblockCaptchaOperator

try:
    from airflow.providers.standard.operators.hitl import HITLEntryOperator
except AirflowOptionalProviderFeatureException:  # below Airflow 3.1
    HITLEntryOperator = None

if HITLEntryOperator is not None:
    with DAG("quatrix_person_in_the_loop", schedule=None, catchup=False, tags=["quatrix"], doc_md=__doc__):

        @task.branch
        def is_anything_blocked() -> str:
            """Look at the session, without any login while it is blocked."""
            from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

            return "ask" if QuatrixHook().captcha_blocked() else "work"

        @task(trigger_rule="none_failed_min_one_success")
        def work() -> str:
            """Call Quatrix; runs after the branch as well as after the unblocking."""
            from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

            return QuatrixHook().get_conn().profile().name

        # [START howto_person_in_the_loop]
        ask = HITLEntryOperator(
            task_id="ask",
            subject="Quatrix wants a CAPTCHA",
            body="Pass the CAPTCHA of the Quatrix account and enter the token that proves it. A token works once.",
            # Airflow checks a default too, so `minLength` would fail the task before anybody is asked.
            params={"token": Param("", type="string", title="CAPTCHA token")},
            response_timeout=timedelta(hours=12),
        )
        unblock = QuatrixUnblockCaptchaOperator(
            task_id="unblock",
            token="{{ ti.xcom_pull(task_ids='ask')['params_input']['token'] }}",  # noqa: S106 - a template
        )
        # [END howto_person_in_the_loop]

        look, done = is_anything_blocked(), work()
        look >> [ask, done]
        ask >> unblock >> done
