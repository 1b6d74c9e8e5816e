"""Handles each file that a watcher has reported once, though it may be reported twice."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_quatrix.api.paths import join, split
from airflow_provider_quatrix.api.stopping import Stop
from airflow_provider_quatrix.hooks.arguments import DEFAULT_CONN_ID
from airflow_provider_quatrix.hooks.attempt import Attempt, checkpoint_name
from airflow_provider_quatrix.hooks.failures import airflow_errors
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.transfer.arrivals import arrival_of
from airflow_provider_quatrix.transfer.claims import Arrival, Claims, waiting
from airflow_provider_quatrix.transfer.parallel import run_all
from airflow_provider_quatrix.transfer.results import Result
from airflow_provider_quatrix.transfer.tree import RemoteTree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_quatrix.transfer.claims import Claimed
    from airflow_provider_quatrix.transfer.folder_poller import FileCriteria

log = logging.getLogger(__name__)

# Files at a time, each of which takes several calls, one after the other.
_AT_ONCE = 4


class Watcher(Protocol):
    """What a ``QuatrixFileEventTrigger`` says about the files that it watches for."""

    wanted: FileCriteria
    quatrix_conn_id: str


class ClaimedArrivals(Result):
    """The files that a run has claimed.

    :ivar files: ``path``, ``id``, ``size``, ``modified``, ``key``, ``uploader`` and ``infected`` of each; ``uploader``
        and ``infected`` are empty if the service does not report them.
    :ivar refused: the same for the files that the service reports as infected.
    """

    files: list[dict[str, Any]]
    refused: list[dict[str, Any]]


def claim_arrivals(
    events: Any,
    folder: str,
    *,
    watcher: Watcher | Iterable[Watcher] = (),
    quatrix_conn_id: str = DEFAULT_CONN_ID,
    refuse_infected: bool = True,
) -> ClaimedArrivals:
    """Move the files of events out of the watched folder, so that no other run handles them.

    Each file goes into a folder of its own below ``folder``. If another run gets the same event at the same moment, on
    any host, only one of them gets the file. All tries of a task get the same files. ``folder`` must not be watched,
    and :func:`finish_arrivals` must be the last step.

    :param events: of an asset that :class:`~airflow_provider_quatrix.triggers.files.QuatrixFileEventTrigger` watches:
        asset events, as in ``triggering_asset_events[asset]``, or their payloads; one or several.
    :param folder: where claimed files go; made if it is missing.
    :param watcher: the trigger that watches for the asset, or several: also claim the files that it would report and
        that are there now. Airflow may leave an event to the next run, which starts only when another file arrives.
    :param refuse_infected: ask the service for the result of its virus scanner, which is a call per file. A file with
        such a result is refused.
    :return: the files that only this run has.
    :raises ValueError: an argument is wrong.
    :raises AirflowException: a call has failed; a retry continues.
    """
    reported = [_arrival(event) for event in _several(events)]
    _check_folder("folder", folder)
    wanted = [_wanted(each, quatrix_conn_id) for each in (watcher if isinstance(watcher, Iterable) else [watcher])]
    attempt = Attempt.running()
    # Outside of tasks there are no retries.
    owner = checkpoint_name(attempt.resume_key or uuid.uuid4().hex)[:16]
    with airflow_errors(quatrix_conn_id):
        tree = RemoteTree(QuatrixHook(quatrix_conn_id).client.files)
        claims = Claims(tree, folder, owner)
        # A file that an earlier try has claimed without its event is no longer where it was.
        found = claims.claimed_before() if wanted and attempt.is_retry else []
        found += [arrival for each in wanted for arrival in waiting(tree.files, each)]
        arrivals = list({arrival.key: arrival for arrival in (*reported, *found)}.values())
        claimed = run_all(arrivals, lambda arrival: claims.claim(arrival, origin=refuse_infected), _AT_ONCE, Stop())
    files = [_as_result(each) for each in claimed if each is not None]
    log.info("Claimed %d of %d files; other runs have the rest, or it is gone", len(files), len(arrivals))
    for file in files:
        if file["infected"]:
            uploader = file["uploader"] or "somebody"
            log.error("Refused %s, uploaded by %s: Quatrix reports %s", file["path"], uploader, file["infected"])
    return ClaimedArrivals(
        files=[file for file in files if not file["infected"]], refused=[file for file in files if file["infected"]]
    )


def finish_arrivals(
    claimed: Sequence[Mapping[str, Any]], target: str | None = None, *, quatrix_conn_id: str = DEFAULT_CONN_ID
) -> list[dict[str, Any]]:
    """Move claimed files to their final folder, and remove the folders of their claims.

    :param claimed: from the result of :func:`claim_arrivals`: ``files`` or ``refused``.
    :param target: the folder for them, made if it is missing. If a name is taken, the file gets a number. ``None`` if
        the run has moved or deleted the files already.
    :return: ``path``, ``id``, ``size``, ``modified`` and ``key`` of those that were moved.
    :raises ValueError: an argument is wrong.
    :raises AirflowException: a call has failed, or a file is still there and there is no target; a retry continues.
    """
    if target is not None:
        _check_folder("target", target)
    for file in claimed:
        if not isinstance(file, Mapping) or not {"path", "id"} <= file.keys() or len(split(str(file["path"]))) < 4:
            raise ValueError(f"claimed contains {file!r}: give what claim_arrivals() has returned as files or refused")
    with airflow_errors(quatrix_conn_id):
        claims = Claims(RemoteTree(QuatrixHook(quatrix_conn_id).client.files), "/", "")
        moved = run_all(
            list(claimed), lambda file: claims.finish(str(file["path"]), str(file["id"]), target), _AT_ONCE, Stop()
        )
    return [arrival_of(entry) for entry in moved if entry is not None]


def _as_result(claimed: Claimed) -> dict[str, Any]:
    origin = claimed.origin
    return arrival_of(claimed.entry) | {
        "key": claimed.key,
        "uploader": origin.uploader if origin is not None else "",
        "infected": origin.infected if origin is not None else "",
    }


def _several(events: Any) -> Iterable[Any]:
    is_one = isinstance(events, Mapping) or hasattr(events, "extra") or not isinstance(events, Iterable)
    return [events] if is_one or isinstance(events, str) else events


def _arrival(event: Any) -> Arrival:
    extra = event.get("extra", event) if isinstance(event, Mapping) else getattr(event, "extra", None)
    payload = extra.get("payload", extra) if isinstance(extra, Mapping) else None
    if not isinstance(payload, Mapping) or not all(
        isinstance(payload.get(name), str) and payload[name] for name in ("path", "id", "key")
    ):
        raise ValueError(
            f"events contains {event!r}: give events that QuatrixFileEventTrigger has made, or their payloads, which "
            "have path, id and key"
        )
    return Arrival(payload["path"], payload["id"], payload["key"])


def _wanted(watcher: Watcher, quatrix_conn_id: str) -> FileCriteria:
    if not hasattr(watcher, "wanted"):
        raise ValueError(f"watcher is {watcher!r}: give the QuatrixFileEventTrigger of the asset, or several")
    if watcher.quatrix_conn_id != quatrix_conn_id:
        raise ValueError(
            f"quatrix_conn_id is {quatrix_conn_id!r}, but the watcher has {watcher.quatrix_conn_id!r}: give the same"
        )
    return watcher.wanted


def _check_folder(name: str, folder: object) -> None:
    if not isinstance(folder, str) or not folder.strip("/"):
        raise ValueError(f"{name} is {folder!r}: give the path of a folder below the home folder, such as /processing/")
    join(split(folder))
