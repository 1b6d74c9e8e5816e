"""Lets a deferrable sensor start in the triggerer, so that even its first poll takes no worker slot."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_quatrix.sensors.base import QuatrixSensor


def start_in_triggerer(sensor: QuatrixSensor, *, ends_task: bool = True) -> None:
    """Let Airflow start a sensor in the triggerer, unless something needs a worker first.

    :param sensor: deferrable, with arguments that contain no template.
    :param ends_task: let it end there too; otherwise a worker returns what the trigger found.
    """
    from airflow.triggers.base import StartTriggerArgs

    if sensor.on_execute_callback or sensor.on_success_callback or sensor.outlets:
        return
    classpath, arguments = sensor.trigger(ends_task=ends_task).serialize()
    sensor.start_trigger_args = StartTriggerArgs(
        trigger_cls=classpath,
        trigger_kwargs=arguments,
        next_method="execute_complete",
        next_kwargs=None,
        timeout=timedelta(seconds=sensor.timeout),
    )
    sensor.start_from_trigger = True
