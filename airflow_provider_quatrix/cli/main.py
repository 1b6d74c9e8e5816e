"""``python -m airflow_provider_quatrix``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.cli.commands import COMMANDS, COMMON, Command, Group
from airflow_provider_quatrix.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    :param argv: its arguments; default those of this process.
    :return: exit status.
    """
    args = parser().parse_args(argv)
    from airflow_provider_quatrix.cli.running import run

    return run(args.function, args)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    made = argparse.ArgumentParser(
        prog="python -m airflow_provider_quatrix", description="Work with Quatrix through an Airflow connection."
    )
    made.add_argument("--version", action="version", version=__version__)
    _add(made, COMMANDS)
    return made


def _add(parser: argparse.ArgumentParser, commands: Sequence[Command | Group]) -> None:
    added: Any = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in commands:
        sub = added.add_parser(command.name, help=command.help, description=command.help)
        if isinstance(command, Group):
            _add(sub, command.commands)
            continue
        for argument in (*command.arguments, *COMMON):
            sub.add_argument(*argument.flags, **argument.options)
        sub.set_defaults(function=command.function)
