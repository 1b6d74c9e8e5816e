"""Wait until a person has passed the CAPTCHA that blocks the account, then work.

Shows the sensor in front of work. It passes at once if nothing is blocked. While the account is blocked it costs one
call per interval for all sensors together, no login and, deferred as here, no worker slot.

Needs the connection ``quatrix_default`` and a running triggerer.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_quatrix.sensors.captcha import QuatrixCaptchaSensor

with DAG("quatrix_captcha_gate", schedule=None, catchup=False, tags=["quatrix"], doc_md=__doc__):

    @task
    def work() -> str:
        """Call Quatrix; the session is the one that the sensor saw working."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        return QuatrixHook().get_conn().profile().name

    # [START howto_captcha_sensor]
    gate = QuatrixCaptchaSensor(
        task_id="gate",
        deferrable=True,
        poke_interval=5,  # seconds; a minute does in production, where a person has to come first
        timeout=12 * 60 * 60,
    )
    # [END howto_captcha_sensor]

    gate >> work()
