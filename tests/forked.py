"""Work in a forked child that can never go on as a second pytest."""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def status_of_child(work: Callable[[], object]) -> int:
    """Return the exit status of a forked child, which ends as if killed: 0 if it did its work, 1 if that raised."""
    child = os.fork()
    if child == 0:  # pragma: no cover - in a process that is not measured
        status = 1
        try:
            work()
            status = 0
        except BaseException:  # noqa: BLE001 - printed for whoever reads the test's output
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
