"""Reading the activity log: every entry of an interval once, however the service pages; and what is written of it."""

from __future__ import annotations

import csv
import io
import random
from dataclasses import dataclass
from itertools import count, pairwise, product
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_quatrix.api.share_models import Activity
from airflow_provider_quatrix.emulator.service.errors import ApiError
from airflow_provider_quatrix.emulator.service.paging import Page, page_of
from airflow_provider_quatrix.emulator.settings import EmulatorSettings
from airflow_provider_quatrix.transfer import activity
from airflow_provider_quatrix.transfer.activity import COLUMNS, LogReader, as_csv, as_result, read_report
from airflow_provider_quatrix.transfer.exports import ActivityLogError, Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SHARE = "0b0e7d9a-7c7e-4a3c-9d0f-3f5f6a1c2b3d"
# By these a service leads to everything; by the others only where its times do.
LEADS_ON = ("after",)


def entry(number: int, time: float, payload: Any = None) -> Activity:
    return Activity(f"id-{number:05}", time, "a@b.c", "A", "A", "web", "file", "upload", "", 0.5, payload)


@dataclass
class Service:
    """The emulator's own paging, over a log made up by the test."""

    log: list[tuple[str, float]]
    settings: EmulatorSettings
    limit: int
    calls: int = 0

    def fetch(self, after: str | None, begin: float, end: float) -> list[Activity]:
        self.calls += 1
        found = page_of(self.log, Page(after, self.limit, begin, end), self.settings, lambda item: item)
        # The service shows whole seconds.
        return [entry(int(name.rpartition("-")[2]), float(int(time))) for name, time in found]


def log_of(dice: random.Random, size: int, most_ties: int) -> list[tuple[str, float]]:
    """A log of which several entries share a second, and the gaps between seconds are large and small."""
    found: list[tuple[str, float]] = []
    second = 1000
    while len(found) < size:
        second += dice.choice([1, 1, 2, 7, 40])
        moments = sorted(second + dice.random() for _ in range(dice.randint(1, most_ties)))
        found += [(f"id-{len(found) + number:05}", moment) for number, moment in enumerate(moments)]
    return found


def in_interval(log: Sequence[tuple[str, float]], interval: Interval) -> list[str]:
    return [name for name, time in log if interval.holds(int(time))]


SETTINGS = [
    {"paging_order": order, "paging_id": leads, "paging_repeats_id": repeats, "paging_includes_end": includes}
    for order, leads, repeats, includes in product(
        ("newest", "oldest"), ("after", "before", "alone"), (False, True), (False, True)
    )
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: "-".join(map(str, settings.values())))
def test_every_entry_comes_once_however_the_service_pages(settings: dict[str, Any]) -> None:
    dice = random.Random(str(settings))  # noqa: S311
    leads_on = settings["paging_id"] in LEADS_ON
    for _ in range(60):
        limit, size = dice.randint(2, 9), dice.randint(0, 60)
        log = log_of(dice, size, most_ties=dice.randint(1, 2 * limit))
        start, end = sorted(dice.uniform(998, log[-1][1] + 3 if log else 1100) for _ in range(2))
        if dice.random() < 0.5:
            start, end = float(int(start)), float(int(end) + 1)
        interval = Interval(start, end)
        most = dice.choice([1000, 1000, max(2, limit - 1)]) if leads_on else 1000
        service = Service(log, EmulatorSettings().replace(**settings, paging_most=most), limit)
        reader = LogReader(service.fetch, limit)
        try:
            found = [each.id for each in reader.read(interval)]
        except ActivityLogError:
            # Rather than leave entries out. Where ids lead on, it never comes to that.
            assert not leads_on
            continue
        assert sorted(found) == sorted(in_interval(log, interval))
        assert service.calls <= 3 * len(log) + 5


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: "-".join(map(str, settings.values())))
def test_pages_as_large_as_real_ones_lead_to_everything_by_time_alone(settings: dict[str, Any]) -> None:
    dice = random.Random(str(settings))  # noqa: S311
    log = log_of(dice, 400, most_ties=9)
    interval = Interval(log[0][1] // 1, log[-1][1] + 1)
    service = Service(log, EmulatorSettings().replace(**settings), 40)
    assert [each.id for each in LogReader(service.fetch, 40).read(interval)] == [name for name, _ in log]
    assert service.calls <= 60


def test_neighbouring_intervals_have_every_entry_once() -> None:
    dice = random.Random(1)  # noqa: S311
    log = log_of(dice, 120, most_ties=5)
    last = log[-1][1] + 2
    for _ in range(20):
        cuts = sorted({990.0, last, *(dice.choice([int, float])(dice.uniform(990, last)) for _ in range(6))})
        service = Service(log, EmulatorSettings(), 10)
        found = [
            each.id for start, end in pairwise(cuts) for each in LogReader(service.fetch, 10).read(Interval(start, end))
        ]
        assert found == [name for name, _ in log]


def test_an_interval_of_a_usual_size_takes_two_calls() -> None:
    service = Service([("id-00001", 1010.2), ("id-00002", 1010.9)], EmulatorSettings(), 1000)
    assert len(LogReader(service.fetch, 1000).read(Interval(1010, 1011))) == 2
    assert service.calls == 2
    assert LogReader(service.fetch, 1000).read(Interval(2000, 2001)) == []
    assert service.calls == 3


def test_more_entries_of_one_moment_than_fit_on_a_page_are_refused_where_ids_lead_nowhere() -> None:
    log = [(f"id-{number:05}", 1010.0) for number in range(5)]
    service = Service(log, EmulatorSettings().replace(paging_id="alone"), 5)
    with pytest.raises(ActivityLogError, match="nothing is exported"):
        LogReader(service.fetch, 5).read(Interval(1000, 1020))


def endless(after: str | None, _begin: float, _end: float) -> list[Activity]:
    number = 0 if after is None else int(after.removeprefix("id-")) + 1
    return [entry(number, 1010.0)]


def backwards(numbers: count[int]) -> Callable[..., list[Activity]]:
    return lambda *_: [entry(next(numbers), 1010.0)]


@pytest.mark.parametrize("fetch", [endless, backwards(count())])
def test_a_log_without_an_end_is_refused(fetch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "MOST_PAGES", 50)
    with pytest.raises(ActivityLogError, match="did not end after 50 pages with 50 entries"):
        LogReader(fetch, 1000).read(Interval(1000, 1020))


def test_pages_in_no_order_are_refused_where_ids_lead_nowhere() -> None:
    pages = [entry(1, 1005.0), entry(2, 1001.0), entry(3, 1009.0)]
    with pytest.raises(ActivityLogError, match="neither ids nor times lead to the next page"):
        LogReader(lambda after, _b, _e: pages if after is None else pages[:1], 5).read(Interval(1000, 1020))


@pytest.mark.parametrize("bad", [entry(1, 0.0), Activity("", 1.0, "", "", "", "", "", "", "", 0.0, None)])
def test_an_entry_that_cannot_be_told_apart_is_refused(bad: Activity) -> None:
    with pytest.raises(ActivityLogError, match="no id or no time"):
        LogReader(lambda *_: [bad], 1000).read(Interval(0.5, 10))


def test_an_entry_that_is_gone_before_the_next_page_fails() -> None:
    service = Service(log_of(random.Random(1), 20, 2), EmulatorSettings(), 5)  # noqa: S311

    def fetch(after: str | None, begin: float, end: float) -> list[Activity]:
        page = service.fetch(after, begin, end)
        service.log = [item for item in service.log if item[0] not in {each.id for each in page}]
        return page

    with pytest.raises(ApiError):
        LogReader(fetch, 5).read(Interval(900, 2000))


PAYLOAD = {
    "share_id": SHARE,
    "link": f"https://acme.quatrix.it/download/{SHARE}",
    "pin": "Pin-24680",
    "reply_id": SHARE,
    "subject": f"See https://acme.quatrix.it/download/{SHARE} at once",
    "recipients": ["anna@example.com", {"key": SHARE}, f"x://{SHARE}"],
    "files": [
        {"id": SHARE, "name": "a.csv", "path": "/out/a.csv", "type": "F", "size": 5, "key": SHARE, "shared": True},
        {"id": SHARE},
        SHARE,
    ],
}


def test_nothing_that_opens_a_share_is_written_down() -> None:
    shown = as_result(entry(1, 1_767_225_600.0, PAYLOAD))
    assert shown["details"] == {
        "subject": "See *** at once",
        "recipients": ["anna@example.com", "***"],
        "files": [{"name": "a.csv", "path": "/out/a.csv", "type": "F", "size": 5}],
    }
    assert shown["time"] == "2026-01-01T00:00:00+00:00"
    text = as_csv([shown]).decode()
    assert SHARE not in text
    assert SHARE.replace("-", "") not in text
    assert "24680" not in text


def test_what_stands_for_a_share_is_the_same_in_all_its_entries() -> None:
    first, again, other = (
        as_result(entry(number, 1.0, payload)).share
        for number, payload in enumerate(
            [{"share_id": SHARE}, {"share": SHARE.upper()}, {"share_id": SHARE.replace("0b", "0c")}]
        )
    )
    assert first == again
    assert len({first, other, ""}) == 3
    for payload in (None, [], "text", {}, {"share_id": 5}, {"share_id": "no uuid"}):
        assert (as_result(entry(1, 1.0, payload)).share, as_result(entry(1, 1.0, payload)).details) == ("", {})


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_a_file_of_entries() -> None:
    first = entry(1, 1_767_225_600.0, {"files": [{"name": 'a,"b"\nü', "path": "/a"}]})
    odd = entry(2, 1_767_225_601.0, {"subject": "\ud800"})
    (one, two) = rows(as_csv([as_result(first), as_result(odd)]))
    assert tuple(one) == COLUMNS
    assert (one["id"], one["seconds"], one["share"], one["addresses"]) == ("id-00001", "0.5", "", "")
    assert one["details"] == '{"files": [{"name": "a,\\"b\\"\\nü", "path": "/a"}]}'
    assert two["details"] == '{"subject": "?"}'
    assert as_csv([]) == (",".join(COLUMNS) + "\n").encode()


TITLES = "Time,Event,Action,Client IPs,User name,Email,User status,Protocol,Payload\n"
DAY = Interval(1_767_225_600, 1_767_312_000)


@pytest.mark.parametrize(
    "time", ["2026-01-01 00:00:00", "2026-01-01T00:00:00Z", "2026-01-01T02:00:00+02:00", "1767225600"]
)
def test_the_csv_of_the_service(time: str) -> None:
    late = "2026-01-02 00:00:00,file,copy,10.0.0.1,A,a@b.c,A,web,\n"
    body = f'{TITLES}{late}{time},share,download,"10.0.0.1, 10.0.0.2",,,,SFTP,"{{""share_id"": ""{SHARE}""}}"\n'
    (found,) = read_report(b"\xef\xbb\xbf" + body.encode(), DAY)
    assert (found.id, found.seconds, found.time) == (None, None, "2026-01-01T00:00:00+00:00")
    assert (found.event, found.action, found.addresses) == ("share", "download", "10.0.0.1, 10.0.0.2")
    assert (found.email, found.protocol, len(found.share)) == ("", "SFTP", 8)


def test_a_payload_that_is_not_understood_is_left_out_of_the_csv() -> None:
    (found,) = read_report(f"{TITLES}2026-01-01 00:00:00,share,create,,,,,,see {SHARE}\n".encode(), DAY)
    assert (found.details, found.share) == ({}, "")


def test_a_payload_may_be_long() -> None:
    files = ",".join('{""name"":""a""}' for _ in range(20_000))
    body = f'{TITLES}2026-01-01 00:00:00,share,create,,,,,,"{{""files"":[{files}]}}"\n'
    (found,) = read_report(body.encode(), DAY)
    assert len(found.details["files"]) == 20_000


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "no column 'Time'"),
        (b"Time,Event\n", "no column 'Action'"),
        (b"\xff\xfe", "cannot be read"),
        (TITLES.encode() + b'"2026-01-01', "cannot be read"),
        (TITLES.encode() + b"yesterday,,,,,,,,\n", "the time 'yesterday', which is not ISO 8601"),
        (TITLES.encode() + b"2026-01-01 00:00:00,file\n2026", "the time '2026'"),
    ],
)
def test_a_csv_of_another_form_is_refused(body: bytes, problem: str) -> None:
    with pytest.raises(ActivityLogError, match=problem):
        read_report(body, DAY)
