"""The commands that Airflow 3 adds to its own; loaded at every ``airflow`` command."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.cli.commands import COMMANDS, COMMON, Command, Group

if TYPE_CHECKING:
    import argparse


def get_quatrix_cli_commands() -> list[Any]:
    """Return the group of commands ``airflow quatrix``."""
    from airflow.cli.cli_config import GroupCommand

    commands = tuple(map(_made, COMMANDS))
    return [GroupCommand(name="quatrix", help="Work with Quatrix, the file-transfer service", subcommands=commands)]


def _made(command: Command | Group) -> Any:
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    if isinstance(command, Group):
        return GroupCommand(name=command.name, help=command.help, subcommands=tuple(map(_made, command.commands)))
    argument: Any = Arg
    arguments = [argument(flags=each.flags, **each.options) for each in (*command.arguments, *COMMON)]
    return ActionCommand(
        name=command.name, help=command.help, func=partial(_run, command.function), args=tuple(arguments)
    )


def _run(function: str, args: argparse.Namespace) -> None:
    from airflow_provider_quatrix.cli.running import run

    sys.exit(run(function, args))
