"""Notifies people of what happened to a task or DAG run."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseNotifier

from airflow_provider_quatrix.hooks.arguments import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

DEFAULT_TEXT = (
    "{% if ti is defined %}Task {{ ti.task_id }} of {% endif %}"
    "{% if dag_run is defined %}DAG {{ dag_run.dag_id }}, run {{ dag_run.run_id }}{% endif %}\n"
    "{% if exception is defined and exception %}{{ exception }}\n{% endif %}"
)


class QuatrixNotifier(BaseNotifier):
    """Puts a text file into a folder of Quatrix, for the people who look there.

    If the folder is a project folder, Quatrix itself sends an e-mail to those of its users who have asked to be
    notified. A blocked account cannot notify anybody: use a connection with an API key for that, or another notifier,
    see :func:`when_blocked`.

    :param path: of the file; or, with a slash at its end, of a folder, where the file is named after DAG, task and time
        (templated).
    :param text: what the file says; default: DAG, task, run and error (templated).
    :param create_parents: make missing folders; default ``True``.
    :param quatrix_conn_id: connection of type ``quatrix`` (templated).
    """

    template_fields: Sequence[str] = ("path", "text", "quatrix_conn_id")

    def __init__(
        self,
        *,
        path: str,
        text: str = DEFAULT_TEXT,
        create_parents: bool = True,
        quatrix_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not path:
            raise ValueError("path is empty: give the path of a file, or of a folder with a slash at its end")
        self.path = path
        self.text = text
        self.create_parents = create_parents
        self.quatrix_conn_id = quatrix_conn_id

    def _update_context(self, context: Context) -> Context:
        # A deadline gives the DAG run as the REST API does: as a dict, with another name for its id.
        dag_run: Any = context.get("dag_run")
        if isinstance(dag_run, dict) and "dag_run_id" in dag_run:
            given: Any = context
            given["dag_run"] = {"run_id": dag_run["dag_run_id"], **dag_run}
        return super()._update_context(context)

    def notify(self, context: Context) -> None:
        """Upload the text."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / _name(context)
            file.write_text(self.text, encoding="utf-8")
            hook = QuatrixHook(self.quatrix_conn_id)
            hook.upload(
                {"path": str(file)}, self.path, if_exists="rename", create_parents=self.create_parents, checksum=None
            )

    async def async_notify(self, context: Context) -> None:
        """Do the same in a thread, for deadlines, whose callbacks run in the triggerer."""
        await asyncio.to_thread(self.notify, context)


def when_blocked(notify: Callable[[Context], Any], quatrix_conn_id: str = DEFAULT_CONN_ID) -> Callable[[Context], None]:
    """Return a callback that calls another one only while an account is blocked by a CAPTCHA.

    It also works among the ``notifiers`` of a task that asks a person: a failure to notify is logged, and does not keep
    the task from asking.

    :param notify: such as a notifier; ``quatrix_captcha`` in its context and templates says what a person has to do.
    :param quatrix_conn_id: connection of the account. Checking for the block costs no call.
    """

    def notify_if_blocked(context: Context) -> None:
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
        from airflow_provider_quatrix.hooks.wait_log import of_captcha

        try:
            hook = QuatrixHook(quatrix_conn_id)
            if hook.session_state().status == "blocked":
                found: Any = {**context, "quatrix_captcha": f"Quatrix waits for {of_captcha(hook.settings)}"}
                notify(found)
        except Exception as error:  # noqa: BLE001 - Airflow would fail the task that asks
            log.warning("Nobody was notified that connection %r may be blocked: %s", quatrix_conn_id, error)

    return notify_if_blocked


def _name(context: Context) -> str:
    """Return a name for the file that says what it is about, with characters that any system accepts."""
    ti, dag_run = context.get("ti"), context.get("dag_run")
    known = dag_run or ti
    dag_id = known.get("dag_id") if isinstance(known, dict) else getattr(known, "dag_id", None)
    parts = [dag_id or "airflow", getattr(ti, "task_id", "run")]
    name = ".".join((*map(str, parts), f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}", "txt"))
    return "".join(each if each.isalnum() or each in "._-" else "_" for each in name)
