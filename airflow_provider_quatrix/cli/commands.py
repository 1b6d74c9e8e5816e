"""All commands and their arguments as one table, from which both command lines are made. Imports nothing heavy."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.hooks.arguments import DEFAULT_CONN_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAY = 86_400.0


@dataclass(frozen=True)
class Argument:
    """An argument of a command.

    :param flags: its names, as in ``ArgumentParser.add_argument``.
    :param options: the other arguments of that method.
    """

    flags: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Command:
    """A command.

    :param name: as it is typed.
    :param help: one line.
    :param function: what carries it out, ``module:name`` in this package; imported when it runs.
    :param arguments: all but those that every command has.
    """

    name: str
    help: str
    function: str
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True)
class Group:
    """Commands under a common name.

    :param name: as it is typed.
    :param help: one line.
    :param commands: those in the group.
    """

    name: str
    help: str
    commands: tuple[Command, ...]


def _argument(*flags: str, **options: Any) -> Argument:
    return Argument(flags, options)


def seconds_of_days(text: str) -> float:
    """Read a number of days.

    :param text: as it was typed.
    :return: seconds.
    :raises argparse.ArgumentTypeError: it is not a number, or negative.
    """
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days < 36_500:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days")
    return days * _DAY


def transfers_at_a_time(text: str) -> int:
    """Read how many files to move at a time.

    :param text: as it was typed.
    :return: the number.
    :raises argparse.ArgumentTypeError: it is not a whole number from 1 to 64.
    """
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 64")
    return int(text)


_CONNECTION = _argument(
    "conn_id",
    nargs="?",
    default=DEFAULT_CONN_ID,
    metavar="CONN_ID",
    help=f"connection of type quatrix; default {DEFAULT_CONN_ID}",
)
_WITH_CONNECTION = _argument(
    "-c",
    "--conn-id",
    default=DEFAULT_CONN_ID,
    metavar="CONN_ID",
    help=f"connection of type quatrix; default {DEFAULT_CONN_ID}",
)
_DRY_RUN = _argument("--dry-run", action="store_true", help="change nothing, only report what would happen")


def _moving(*modes: str) -> tuple[Argument, ...]:
    return (
        _argument(
            "--if-exists",
            choices=modes,
            default="fail",
            help="what to do if the file's name is taken; default fail",
        ),
        _argument("--create-parents", action="store_true", help="make missing folders of TARGET"),
        _argument(
            "--transfers",
            type=transfers_at_a_time,
            default=4,
            metavar="NUMBER",
            help="files at a time, from 1 to 64; default 4",
        ),
        _DRY_RUN,
        _WITH_CONNECTION,
    )


_MODES = ("fail", "skip", "overwrite", "rename", "update")

# Arguments of every command.
COMMON = (
    _argument("--output", choices=("text", "json"), default="text", help="default text"),
    _argument("-v", "--verbose", action="store_true", help="write each step to standard error"),
)

COMMANDS: tuple[Command | Group, ...] = (
    Command(
        "check",
        "Test a connection stage by stage, as the Test button does",
        "connection:check",
        (
            _CONNECTION,
            _argument(
                "--live",
                action="store_true",
                help="also test what this package assumes about the service, in a folder of its own that is removed",
            ),
            _argument("--folder", default="/", metavar="PATH", help="with --live: folder to work in; default /"),
        ),
    ),
    Group(
        "session",
        "Show or end the session that all tasks of an account share",
        (
            Command("show", "Show what is known of it, without calling the service", "connection:show", (_CONNECTION,)),
            Command("end", "End it for all who share it", "connection:end", (_CONNECTION,)),
        ),
    ),
    Command(
        "ls",
        "List folders, or the files that match patterns",
        "files:ls",
        (
            _argument("path", nargs="*", default=["/"], metavar="PATH", help="folder or quoted pattern; default /"),
            _argument("-r", "--recursive", action="store_true", help="include subfolders"),
            _WITH_CONNECTION,
        ),
    ),
    Command(
        "get",
        "Download files, folders or what matches patterns",
        "files:get",
        (
            _argument("source", nargs="+", metavar="SOURCE", help="path on Quatrix or quoted pattern"),
            _argument("target", metavar="TARGET", help="local file, or folder for several"),
            *_moving(*_MODES),
        ),
    ),
    Command(
        "put",
        "Upload files or folders",
        "files:put",
        (
            _argument("source", nargs="+", metavar="SOURCE", help="local file or folder"),
            _argument("target", metavar="TARGET", help="path on Quatrix: of the file, or of the folder for several"),
            *_moving(*_MODES),
        ),
    ),
    Command(
        "rm",
        "Delete files and folders with everything in them",
        "files:rm",
        (
            _argument("path", nargs="+", metavar="PATH", help="path on Quatrix or quoted pattern"),
            _argument("--permanently", action="store_true", help="do not keep them in the Trash"),
            _argument("--missing-ok", action="store_true", help="a path that does not exist is fine"),
            _WITH_CONNECTION,
        ),
    ),
    Command(
        "cleanup",
        "Remove what killed uploads left behind",
        "files:cleanup",
        (
            _argument(
                "path", nargs="?", default="/", metavar="PATH", help="folder to search, with its subfolders; default /"
            ),
            _argument(
                "--older-than",
                type=seconds_of_days,
                default=7 * _DAY,
                metavar="DAYS",
                help="only what nobody has written to for so many days; default 7",
            ),
            _DRY_RUN,
            _WITH_CONNECTION,
        ),
    ),
)
