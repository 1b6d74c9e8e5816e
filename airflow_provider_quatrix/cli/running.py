"""Runs one command: where it finds Airflow's connections, what a failure prints, and the exit status."""

from __future__ import annotations

import logging
import os
import sys
from enum import IntEnum
from importlib import import_module
from typing import TYPE_CHECKING

from airflow_provider_quatrix.cli.output import Output

if TYPE_CHECKING:
    import argparse


class Exit(IntEnum):
    """Exit statuses."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    """A wrong argument, an unknown connection or one with a wrong field."""
    CAPTCHA = 3
    """A person has to pass a CAPTCHA first."""
    DEVIATES = 4
    """The service does not do what this package assumes."""
    INTERRUPTED = 130


def run(function: str, args: argparse.Namespace) -> int:
    """Run a command.

    :param function: ``module:name`` in this package; takes the arguments and the output, and returns the status.
    :param args: as they were parsed.
    :return: exit status.
    """
    output = Output(as_json=args.output == "json")
    try:
        _prepare(verbose=args.verbose)
        module, _, name = function.partition(":")
        return int(getattr(import_module(f"airflow_provider_quatrix.cli.{module}"), name)(args, output))
    except KeyboardInterrupt:
        output.fail("Interrupted", Exit.INTERRUPTED)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader, such as `head`, has closed the pipe. What Python still buffers must not fail either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except Exception as error:
        status = _status_of(error)
        if status is None:
            raise
        output.fail(_explained(error, args.conn_id), status)
        return status


def _prepare(*, verbose: bool) -> None:
    """Let this process use Airflow's connections and Variables, as Airflow's own commands do."""
    # Airflow 3 uses its database only in processes that set this.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    import airflow.providers.common.compat.sdk  # noqa: F401 - it sets up logging, which is changed below

    from airflow_provider_quatrix.sessions.variables import allow_database

    allow_database()
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", force=True
    )
    logging.getLogger("airflow_provider_quatrix").setLevel(logging.INFO if verbose else logging.WARNING)


def _status_of(error: Exception) -> Exit | None:
    """Return the exit status of a failure; ``None`` for an unexpected one."""
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from airflow_provider_quatrix.api.errors import QuatrixCaptchaRequired, QuatrixError
    from airflow_provider_quatrix.api.paths import InvalidPathError
    from airflow_provider_quatrix.hooks.connection import InvalidConnectionError

    if isinstance(error, QuatrixCaptchaRequired):
        return Exit.CAPTCHA
    if isinstance(error, InvalidConnectionError | AirflowNotFoundException | InvalidPathError):
        return Exit.USAGE
    if isinstance(error, QuatrixError | OSError):
        return Exit.FAILED
    # Arguments that contradict each other.
    return Exit.USAGE if type(error) is ValueError else None


def _explained(error: Exception, conn_id: str) -> str:
    from airflow_provider_quatrix.hooks.failures import advice
    from airflow_provider_quatrix.transfer.error_context import described

    return f"{described(error).rstrip('.')}. {advice(error, conn_id)}".rstrip()
