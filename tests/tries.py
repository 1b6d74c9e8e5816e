"""A hook whose calls take the try of a task as arguments."""

from __future__ import annotations

from typing import Any

from airflow_provider_quatrix.hooks.attempt import Attempt
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook


class TriedHook(QuatrixHook):
    """Works for tasks, as the operators let a hook do."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._kept: list[Any] = []

    def forget_done(self) -> None:
        """Forget the notes of all calls so far."""
        Attempt(kept=self._kept).forget_done()


def _in_try(name: str) -> Any:
    def call(
        self: TriedHook,
        *arguments: Any,
        resume_key: str = "",
        is_retry: bool = False,
        last_try: bool = False,
        **how: Any,
    ) -> Any:
        self.attempt = Attempt(resume_key, is_retry=is_retry, last_try=last_try, kept=self._kept)
        return getattr(QuatrixHook, name)(self, *arguments, **how)

    return call


for _name in (
    *("upload", "download", "transfer", "move_many", "copy_many", "delete", "make_directory"),
    *("share", "request_files", "export_activity"),
):
    setattr(TriedHook, _name, _in_try(_name))
