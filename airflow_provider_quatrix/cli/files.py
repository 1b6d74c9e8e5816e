"""Commands about files."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_quatrix.cli.output import size_of, when
from airflow_provider_quatrix.cli.running import Exit
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

if TYPE_CHECKING:
    import argparse

    from airflow_provider_quatrix.cli.output import Output
    from airflow_provider_quatrix.transfer.results import FileResult, Transfers


def ls(args: argparse.Namespace, output: Output) -> int:
    """List folders, or the files that match patterns."""
    found = QuatrixHook(args.conn_id).list_files(args.path, recursive=args.recursive)
    found = sorted(found, key=lambda each: each.path)
    output.show([dict(each) for each in found], [_line(each) for each in found])
    return Exit.DONE


def _line(found: FileResult) -> str:
    is_folder = found.kind == "folder"
    modified = when(datetime.fromisoformat(found.modified).timestamp())
    return f"{'' if is_folder else size_of(found.size):>10}  {modified}  {found.path}{'/' if is_folder else ''}"


def get(args: argparse.Namespace, output: Output) -> int:
    """Download files, folders or what matches patterns."""
    with output.progress("Downloading"):
        results = QuatrixHook(args.conn_id).download(args.source, args.target, **_how(args))
    return _show_transfers(results, "Downloaded", output)


def put(args: argparse.Namespace, output: Output) -> int:
    """Upload files or folders. The shell has expanded patterns, so all arguments are names."""
    with output.progress("Uploading"):
        results = QuatrixHook(args.conn_id).upload(args.source, args.target, glob=False, **_how(args))
    return _show_transfers(results, "Uploaded", output)


def _how(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "if_exists": args.if_exists,
        "create_parents": args.create_parents,
        "transfers": args.transfers,
        "dry_run": args.dry_run,
    }


def _show_transfers(results: Transfers, done: str, output: Output) -> int:
    value = [
        {
            "path": result.path,
            "size": result.size,
            "sha256": result.digest or None,
            "seconds": round(result.seconds, 3),
            "skipped": result.skipped,
        }
        for result in results
    ]
    moved = "Would be there" if results.dry_run else done
    output.show(value, [f"{'Left' if each.skipped else moved} {each.path} ({size_of(each.size)})" for each in results])
    return Exit.DONE


def rm(args: argparse.Namespace, output: Output) -> int:
    """Delete files and folders with everything in them."""
    deleted = QuatrixHook(args.conn_id).delete(args.path, permanently=args.permanently, missing_ok=args.missing_ok)
    output.show({"deleted": deleted}, [f"Deleted {deleted}"])
    return Exit.DONE


def cleanup(args: argparse.Namespace, output: Output) -> int:
    """Remove what killed uploads left behind."""
    cleaned = QuatrixHook(args.conn_id).cleanup(args.path, older_than=args.older_than, dry_run=args.dry_run)
    would = "Would remove" if args.dry_run else "Removed"
    uploads = f"{cleaned.files} unfinished uploads ({size_of(cleaned.bytes)})"
    output.show(
        {
            "files": cleaned.paths,
            "bytes": cleaned.bytes,
            "checkpoints": cleaned.checkpoints,
            "dry_run": args.dry_run,
        },
        [f"{would} {uploads} and {cleaned.checkpoints} checkpoints", *cleaned.paths],
    )
    return Exit.DONE
