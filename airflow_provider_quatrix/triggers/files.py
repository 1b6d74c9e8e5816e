"""Waits in the triggerer for files to appear, for a task or for an asset."""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import AirflowException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_quatrix.hooks.arguments import DEFAULT_CONN_ID, is_rendered_later
from airflow_provider_quatrix.hooks.attempt import checkpoint_name
from airflow_provider_quatrix.transfer.filters import FileFilter, read_moment, read_seconds, read_size
from airflow_provider_quatrix.transfer.folder_poller import FileAges, FileCriteria
from airflow_provider_quatrix.transfer.patterns import escape
from airflow_provider_quatrix.transfer.sources import Sources
from airflow_provider_quatrix.triggers.base import QuatrixTrigger
from airflow_provider_quatrix.triggers.event_state import EventState
from airflow_provider_quatrix.triggers.folder_polls import FolderPoll, poll_folders

try:
    from airflow.triggers.base import BaseEventTrigger
except ImportError:  # Airflow 2
    BaseEventTrigger = BaseTrigger  # type: ignore[assignment,misc]

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Mapping, Sequence
    from datetime import timedelta

    from airflow.triggers.shared_stream import SharedStreamProducer

    from airflow_provider_quatrix.hooks.folder_poller import ConnectionFolderPoller
    from airflow_provider_quatrix.transfer.arrivals import Arrivals, Batch
    from airflow_provider_quatrix.transfer.folder_poller import Place, Snapshot

# How many events of one poll are reported before Airflow has stored them. It drops events that it cannot store within
# five minutes.
_MOST_EVENTS = 200


class QuatrixFileTrigger(QuatrixTrigger):
    """Fires once there are files that meet the criteria; all triggers that watch the same folder share its listing.

    :param path: path or pattern, or several, each of which has to find a file.
    :param glob: whether text is a pattern; ``None``: if it contains wildcards. Mappings with ``path`` contain names.
    :param newer_than: Unix time, or how long before now; ``None`` for files of any age.
    :param min_size: bytes.
    :param min_age: seconds since the file was last written to, by the server's clock.
    :param poll_interval: seconds between polls, at least 1.
    :param max_failures: how many failed polls in a row, because the service is down, end the wait.
    :param ends_task: end the task from here, without a worker and without a result.
    """

    def __init__(
        self,
        quatrix_conn_id: str,
        path: str | Sequence[str | Mapping[str, str]],
        *,
        glob: bool | None = None,
        newer_than: float | timedelta | None = None,
        min_size: int = 0,
        min_age: float = 0.0,
        poll_interval: float = 60.0,
        max_failures: int = 10,
        ends_task: bool = False,
    ) -> None:
        super().__init__(quatrix_conn_id, poll_interval, max_failures, ends_task)
        self.path = path
        self.glob = glob
        files = FileFilter(newer_than=newer_than, min_size=min_size)
        self.wanted = FileCriteria(Sources.of(path, glob=glob, name="path"), files, min_age)
        self._unchanged = FileAges()

    def arguments(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        wanted = self.wanted
        return super().arguments() | {
            "path": self.path,
            "glob": self.glob,
            "newer_than": wanted.files.newer_than,
            "min_size": wanted.files.min_size,
            "min_age": wanted.min_age,
        }

    def key(self) -> Hashable:
        """Return the folders that are watched."""
        return type(self), self.quatrix_conn_id, self.wanted.places

    def fetchers(self) -> dict[Hashable, Callable[[float], Any]]:
        """Return what lists the folders."""
        return dict(_fetcher(self.quatrix_conn_id, place) for place in self.wanted.places)

    def evaluate(self, answers: Sequence[Snapshot]) -> dict[str, Any] | None:
        """Return the payload of a success, with the files as ``found``, once there are any that meet the criteria.

        :param answers: the content of the folders.
        """
        found = self.wanted.matching(dict(zip(self.wanted.places, answers, strict=True)), self._unchanged)
        return {"status": "success", "found": found} if found else None

    def description(self, answers: Sequence[Snapshot]) -> tuple[str, str]:
        """Return the paths and patterns, and what was seen instead."""
        seen = dict(zip(self.wanted.places, answers, strict=True))
        return f"{self.wanted.description} (connection {self.quatrix_conn_id!r})", self.wanted.describe_found(
            seen, self._unchanged
        )

    def may_be_over(self, place: int, answer: Snapshot) -> bool:
        """Return whether the content of one folder might help to end the wait."""
        if len(self.wanted.places) > 1:
            return bool(answer.files)
        return super().may_be_over(place, answer)


class _FolderFetch:
    """Lists a folder. What it needs is imported in the polling thread, not in the event loop."""

    def __init__(self, conn_id: str, place: Place) -> None:
        self._conn_id = conn_id
        self._place = place
        self._folder: ConnectionFolderPoller | None = None

    def __call__(self, _max_age: float) -> Snapshot:
        if self._folder is None:
            from airflow_provider_quatrix.hooks.folder_poller import ConnectionFolderPoller

            self._folder = ConnectionFolderPoller(self._conn_id, self._place)
        return self._folder.poll()


def _fetcher(conn_id: str, place: Place) -> tuple[Hashable, _FolderFetch]:
    """Return what lists a folder, and the key by which all triggers that watch it share the listing."""
    return (QuatrixFileTrigger, conn_id, place), _FolderFetch(conn_id, place)


class QuatrixFileEventTrigger(BaseEventTrigger):
    """Reports every new or changed file to an asset, for as long as it runs; for ``AssetWatcher`` on Airflow 3.

    Each file is reported at least once. A DAG that must not work twice on a file recognises it by its key, see
    :mod:`airflow_provider_quatrix.hooks.arrivals`. The list of reported files is kept in the asset's state store; if
    several assets share the trigger, in a Variable. Without such a list all files in the folder are reported. All
    triggers that watch the same folder share one listing per interval. Arguments cannot be templates, as there is no
    run to render them for.

    The event's payload is ``{"path", "id", "size", "modified", "key"}``; ``modified`` is ISO 8601 in UTC.

    :param path: path of a file, or a pattern such as ``/inbox/*.csv``; or several.
    :param quatrix_conn_id: connection of type ``quatrix``.
    :param glob: whether text is a pattern; default: if it contains wildcards.
    :param newer_than: only files modified after this: a datetime with a time zone, ISO 8601 text, or a timedelta before
        now.
    :param min_size: only files of at least so many bytes.
    :param min_age: seconds (or a timedelta) for which nobody has written to the file, by the server's clock. Without
        it, a file may be reported while it grows, and again when it is complete.
    :param poll_interval: seconds (or a timedelta) between polls, at least 1.
    :raises ValueError: an argument is wrong.
    """

    def __init__(
        self,
        path: Any,
        *,
        quatrix_conn_id: str = DEFAULT_CONN_ID,
        glob: bool | None = None,
        newer_than: datetime | timedelta | str | None = None,
        min_size: int = 0,
        min_age: timedelta | float = 0.0,
        poll_interval: timedelta | float = 60.0,
    ) -> None:
        if BaseEventTrigger is BaseTrigger:
            raise AirflowException(
                "QuatrixFileEventTrigger needs Airflow 3, as 2 has no asset watchers: use QuatrixFileSensor"
            )
        super().__init__()  # type: ignore[no-untyped-call]
        if not isinstance(quatrix_conn_id, str) or not quatrix_conn_id:
            raise ValueError(f"quatrix_conn_id is {quatrix_conn_id!r}: give the id of a connection as text")
        if not (glob is None or isinstance(glob, bool)):
            raise ValueError(f"glob is {glob!r}: give True, False or None")
        for name, value in (("path", path), ("quatrix_conn_id", quatrix_conn_id), ("newer_than", newer_than)):
            if is_rendered_later(value):
                raise ValueError(f"{name} is {value!r}, a template: write it out, as a watcher belongs to no run")
        sources = Sources.of(path, glob=glob, name="path")
        if not sources.all:
            raise ValueError("path is empty: give a path")
        self.quatrix_conn_id = quatrix_conn_id
        self.newer_than = newer_than.isoformat() if isinstance(newer_than, datetime) else newer_than
        self.poll_interval = read_seconds("poll_interval", poll_interval, 1)
        files = FileFilter(
            newer_than=read_moment("newer_than", newer_than), min_size=read_size("min_size", min_size) or 0
        )
        self.wanted = FileCriteria(sources, files, read_seconds("min_age", min_age))
        self.wanted.check()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class's path and the arguments to build the trigger again, the same at every parse."""
        arguments = self._which() | {"min_age": self.wanted.min_age, "poll_interval": self.poll_interval}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    def _which(self) -> dict[str, Any]:
        """Return the arguments that say which files are reported."""
        sources = self.wanted.sources.all
        # Airflow sees a mapping within an argument as a new one at every parse. So all sources become texts.
        glob = sources[0].is_pattern if len({each.is_pattern for each in sources}) == 1 else None
        texts = [each.text if glob is not None or each.is_pattern else escape(each.text) for each in sources]
        return {
            "path": texts,
            "quatrix_conn_id": self.quatrix_conn_id,
            "glob": glob,
            "newer_than": self.newer_than,
            "min_size": self.wanted.files.min_size,
        }

    def shared_stream_key(self) -> Hashable:
        """Return the folders that are watched, and how often; triggers with the same key share Airflow's stream."""
        return type(self).__qualname__, self.quatrix_conn_id, self.wanted.places, self.poll_interval

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """Return what polls the folders, and is told when Airflow has stored the events.

        :param kwargs: arguments of one of the triggers that share the stream.
        """
        from airflow_provider_quatrix.triggers.producer import FolderPollProducer

        return FolderPollProducer(cls(**kwargs)._polls())

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[FolderPoll]:
        """Yield polls of the folders, if nobody reports when events have been stored.

        :param kwargs: arguments of one of the triggers that share the stream.
        """
        async with aclosing(cls(**kwargs)._polls()) as polls:
            async for seen in polls:
                yield FolderPoll(seen)

    def _polls(self) -> AsyncGenerator[Mapping[Place, Snapshot], None]:
        fetchers = {place: _fetcher(self.quatrix_conn_id, place) for place in self.wanted.places}
        return poll_folders(fetchers, self.quatrix_conn_id, self.poll_interval)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Report files to who runs the trigger without a shared stream; the listings are shared nevertheless."""
        polls = cast("AsyncGenerator[FolderPoll, None]", self.open_shared_stream(self.serialize()[1]))
        async with aclosing(polls):
            async for event in self.filter_shared_stream(polls):
                yield event

    async def filter_shared_stream(self, shared_stream: AsyncIterator[FolderPoll]) -> AsyncIterator[TriggerEvent]:
        """Report the files that polls have seen, and store which were reported once Airflow has stored the events.

        :param shared_stream: the polls.
        """
        state = self._state()
        arrivals: Arrivals | None = None
        unconfirmed: list[tuple[FolderPoll, Batch]] = []
        async for poll in shared_stream:
            if arrivals is None:
                kept = await state.read()
                if kept is None:
                    continue
                # The polling thread has already imported what this module needs.
                from airflow_provider_quatrix.transfer.arrivals import Arrivals

                arrivals = Arrivals(self.wanted, kept)
            outcomes = [(earlier.is_stored, earlier, sent) for earlier, sent in unconfirmed]
            for is_stored, _, sent in outcomes:
                if is_stored is not None:
                    (arrivals.confirm if is_stored else arrivals.release)(sent)
            unconfirmed = [(earlier, sent) for is_stored, earlier, sent in outcomes if is_stored is None]
            batch = arrivals.new_files(poll.seen, _MOST_EVENTS if poll.awaits_ack else None)
            if batch.files:
                poll.has_events = True
                unconfirmed.append((poll, batch))
            for file in batch.files:
                yield TriggerEvent(file)  # type: ignore[no-untyped-call]
            await state.write(arrivals.kept)

    def _state(self) -> EventState:
        which = repr(sorted(self._which().items()))
        name = checkpoint_name(which)
        variable = checkpoint_name(which, repr(self.wanted.min_age), repr(self.poll_interval))
        return EventState(getattr(self, "asset_state_store", None), name, variable, self.quatrix_conn_id)
