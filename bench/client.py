"""One transfer by the QuatrixHook in a plain process, which prints what it cost as JSON."""

from __future__ import annotations

import argparse
import gc
import json
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from bench.measure import MIB, forget_peak, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Any key works for a server that runs here.
KEY = "bench"
BLOCK = 16 * MIB


def upload(hook: QuatrixHook, options: argparse.Namespace) -> None:
    """Upload a file or a folder."""
    hook.upload(options.source, options.target, create_parents=True, transfers=options.transfers, **_how(options))


def download(hook: QuatrixHook, options: argparse.Namespace) -> None:
    """Download a file or a folder."""
    hook.download(options.source, options.target, create_parents=True, transfers=options.transfers, **_how(options))


def _how(options: argparse.Namespace) -> dict[str, Any]:
    return {
        **({"checksum": None} if options.no_checksum else {}),
        **({"if_exists": "update", "delete_extra": True} if options.mirror else {}),
    }


def transfer(hook: QuatrixHook, options: argparse.Namespace) -> None:
    """Transfer a file from a bucket."""
    hook.transfer(options.source, options.target)


def receive(_hook: QuatrixHook, options: argparse.Namespace) -> None:
    """Receive a file from a bucket, and discard its bytes."""
    with options.fs.open(options.source, "rb", block_size=BLOCK, cache_type="readahead") as file:
        while file.read(BLOCK):
            pass


def attach_s3(endpoint: str) -> Any:
    """Give Airflow a bucket's server as the connection ``s3_store``.

    :param endpoint: its URL.
    :return: the file system.
    """
    from airflow.sdk.io import attach
    from s3fs import S3FileSystem

    fs = S3FileSystem(key=KEY, secret=KEY, endpoint_url=endpoint)
    attach("s3", conn_id="s3_store", fs=fs)
    return fs


def listing(hook: QuatrixHook, options: argparse.Namespace) -> None:
    """List a folder, and check the number of entries."""
    found = len(hook.list_files(options.source, recursive=options.recursive))
    if found != options.expect:
        raise SystemExit(f"{found} entries were listed instead of {options.expect}")


def main(argv: Sequence[str] | None = None) -> None:
    """Do one thing and print its seconds, CPU seconds and memory.

    :param argv: arguments; those of the process when None.
    """
    parser = argparse.ArgumentParser(prog="python -m bench.client", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for run in (upload, download):
        command = commands.add_parser(run.__name__)
        command.add_argument("source")
        command.add_argument("target")
        command.add_argument("--transfers", type=int, default=4)
        command.add_argument("--no-checksum", action="store_true")
        command.add_argument("--mirror", action="store_true")
        command.set_defaults(run=run)
    command = commands.add_parser("transfer")
    command.add_argument("endpoint")
    command.add_argument("source")
    command.add_argument("target")
    command.set_defaults(run=transfer)
    command = commands.add_parser("receive")
    command.add_argument("endpoint")
    command.add_argument("source")
    command.set_defaults(run=receive)
    command = commands.add_parser("list")
    command.add_argument("source")
    command.add_argument("--recursive", action="store_true")
    command.add_argument("--expect", type=int, required=True)
    command.set_defaults(run=listing)
    options = parser.parse_args(argv)
    hook = QuatrixHook()
    # An idle hook has a connection and has loaded its certificates.
    hook.quota()
    if "endpoint" in options:
        # So has the hook of the other store.
        options.fs = attach_s3(options.endpoint)
        options.fs.ls("")
    print(json.dumps(_cost(options.run, hook, options)))


def _cost(
    run: Callable[[QuatrixHook, argparse.Namespace], None], hook: QuatrixHook, options: argparse.Namespace
) -> dict[str, float]:
    gc.collect()
    forget_peak()
    idle, cpu, began = status_of("self", "VmHWM"), time.process_time(), time.perf_counter()
    run(hook, options)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"wall": wall, "cpu": cpu, "peak": status_of("self", "VmHWM"), "idle": idle}


if __name__ == "__main__":
    main()
