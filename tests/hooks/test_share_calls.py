"""The hook's calls for shares and requests, against the emulator."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_quatrix.api.errors import QuatrixApiError, QuatrixError, QuatrixNotFound
from airflow_provider_quatrix.hooks.quatrix import QuatrixHook
from airflow_provider_quatrix.hooks.share_arguments import InvalidShareError
from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.emulator.client import EmulatorClient
    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

pytestmark = pytest.mark.usefixtures("airflow_db")

ANNA, BO = "anna@example.com", "bo@example.com"
PIN = "Pin-2468"


@pytest.fixture
def hook(quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection) -> QuatrixHook:
    for name in ("a.csv", "b.csv", "c.txt"):
        quatrix_emulator.put_file(EMAIL, f"/out/{name}", name.encode())
    quatrix_emulator.put_file(EMAIL, "/other/d.csv", b"d")
    quatrix_emulator.add_contact(EMAIL, ANNA, "Anna")
    return QuatrixHook(quatrix_connection)


def test_what_is_shared_with_whom(hook: QuatrixHook, quatrix_emulator: EmulatorClient) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    shared = hook.share(
        "/out/*.csv",
        f"{ANNA.upper()}, {BO}",
        subject="Figures",
        message="Please look",
        expires=ends,
        pin=PIN,
        share_type="restricted",
        return_files=True,
        notify=True,
        create_contacts=True,
    )
    (stored,) = quatrix_emulator.shares
    assert [file["name"] for file in stored["files"]] == ["a.csv", "b.csv"]
    assert (stored["recipients"], stored["type"], stored["has_pin"]) == ([ANNA, BO], "C", True)
    assert (stored["subject"], stored["message"]) == ("Figures", "Please look")
    assert (stored["expires"], stored["takes_files"], stored["folder"]) == (ends.timestamp(), True, "/out")
    assert [mail["to"] for mail in quatrix_emulator.mails] == [ANNA, BO]

    assert {name: value for name, value in shared.items() if name not in ("reference", "files")} == {
        "kind": "share",
        "recipients": [ANNA, BO],
        "subject": "Figures",
        "share_type": "restricted",
        "activates": None,
        "expires": ends.isoformat(),
        "pin_protected": True,
    }
    assert [file.path for file in shared.files] == ["/out/a.csv", "/out/b.csv"]
    assert stored["id"] not in json.dumps(shared)
    assert PIN not in json.dumps(shared)


def test_a_folder_an_earlier_result_and_a_literal_name(hook: QuatrixHook, quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/out/[x]*.csv", b"x")
    hook.share("/out", ANNA)
    hook.share(hook.list_files("/out/*.csv"), [ANNA])
    hook.share("/out/[x]*.csv", ANNA, glob=False, send_email=False)
    names = [sorted(file["name"] for file in share["files"]) for share in quatrix_emulator.shares]
    assert names == [["out"], ["[x]*.csv", "a.csv", "b.csv"], ["[x]*.csv"]]
    assert len(quatrix_emulator.mails) == 2
    assert quatrix_emulator.logins == 1


def test_a_quicklink(hook: QuatrixHook, quatrix_emulator: EmulatorClient) -> None:
    shared = hook.share(["/out/a.csv", "/other/d.csv"], quicklink=True, pin=PIN, subject="For all")
    (stored,) = quatrix_emulator.shares
    assert (stored["kind"], stored["has_pin"], len(stored["files"])) == ("quicklink", True, 2)
    assert (shared.kind, shared.share_type, shared.recipients) == ("quicklink", "public", [])
    assert datetime.fromisoformat(shared.expires).timestamp() == int(stored["expires"])
    assert hook.revoke_share(shared)
    assert [share["status"] for share in quatrix_emulator.shares] == ["D"]


def test_the_link_is_for_tasks_with_the_connection(hook: QuatrixHook, quatrix_emulator: EmulatorClient) -> None:
    shared = hook.share("/out/a.csv", ANNA)
    asked = hook.request_files("/out", ANNA)
    share, request = quatrix_emulator.shares
    assert hook.share_link(shared) == f"{quatrix_emulator.url}/download/{share['id']}"
    assert QuatrixHook().share_link(shared.reference) == hook.share_link(dict(shared))
    assert request["id"] in hook.share_link(asked)


def test_receipts_and_the_end(hook: QuatrixHook, quatrix_emulator: EmulatorClient) -> None:
    shared = hook.share("/out/*.csv", [ANNA, BO], create_contacts=True)
    assert hook.share_downloads(shared) == []
    share_id = quatrix_emulator.shares[0]["id"]
    quatrix_emulator.download_share(share_id, ANNA)
    quatrix_emulator.advance(60)
    quatrix_emulator.download_share(share_id, BO, files=["b.csv"])
    downloads = hook.share_downloads(shared)
    assert [(each.recipient, each.file, each.size) for each in downloads] == [
        (ANNA, "a.csv", 5),
        (ANNA, "b.csv", 5),
        (BO, "b.csv", 5),
    ]
    assert downloads[0].time < downloads[2].time
    assert all(each.address for each in downloads)
    assert hook.revoke_share(shared)


@pytest.mark.parametrize("status", [404, 400, 409])
def test_a_share_that_has_ended_is_revoked_without_a_failure(
    hook: QuatrixHook, quatrix_emulator: EmulatorClient, status: int
) -> None:
    quatrix_emulator.configure(revoke_twice_status=status)
    shared = hook.share("/out/a.csv", ANNA)
    assert hook.revoke_share(shared)
    assert not hook.revoke_share(shared)


def test_a_share_that_cannot_be_revoked_is_told(hook: QuatrixHook, quatrix_emulator: EmulatorClient) -> None:
    shared = hook.share("/out/a.csv", ANNA)
    quatrix_emulator.fault("share/revoke/*", status=400, body={"code": 10, "msg": "broken"})
    with pytest.raises(QuatrixApiError, match="broken"):
        hook.revoke_share(shared)


def test_asking_for_files(hook: QuatrixHook, quatrix_emulator: EmulatorClient) -> None:
    asked = hook.request_files("/in/new/", [BO], message="Please send", create_contacts=True, create_parents=True)
    (stored,) = quatrix_emulator.shares
    assert (stored["kind"], stored["folder"], stored["recipients"]) == ("request", "/in/new", [BO])
    assert stored["message"] == "Please send"
    quatrix_emulator.advance(60)
    assert [(mail["kind"], mail["to"]) for mail in quatrix_emulator.mails] == [("request", BO)]
    assert {name: value for name, value in asked.items() if name != "reference"} == {
        "kind": "request",
        "folder": "/in/new",
        "recipients": [BO],
    }
    assert hook.revoke_share(asked)
    hook.request_files("/in/new", BO, send_email=False)
    quatrix_emulator.advance(60)
    assert len(quatrix_emulator.mails) == 1


BAD: dict[str, tuple[Callable[[QuatrixHook], Any], dict[str, Any], type[Exception], str]] = {
    "nobody": (lambda hook: hook.share("/out/a.csv"), {}, InvalidShareError, "recipients is empty"),
    "asks nobody": (lambda hook: hook.request_files("/out", []), {}, InvalidShareError, "recipients is empty"),
    "unknown people": (
        lambda hook: hook.share("/out/a.csv", [ANNA, BO, "cleo@example.com"]),
        {},
        InvalidShareError,
        "no user or contact with the address bo@example.com; cleo@example.com: correct it, or set create_contacts=True",
    ),
    "asks unknown people": (
        lambda hook: hook.request_files("/out", BO),
        {},
        InvalidShareError,
        "no user or contact with the address bo@example.com",
    ),
    "no paths": (lambda hook: hook.share([], ANNA), {}, InvalidShareError, "paths is empty: give the path"),
    "empty path": (lambda hook: hook.share("", ANNA), {}, ValueError, "paths is empty: give a path"),
    "nothing there": (lambda hook: hook.share("/out/x.csv", ANNA), {}, QuatrixNotFound, "nothing at '/out/x.csv'"),
    "no match": (lambda hook: hook.share("/out/*.pdf", ANNA), {}, QuatrixNotFound, "matches no file on Quatrix"),
    "home": (lambda hook: hook.share("/", ANNA), {}, InvalidShareError, "the home folder cannot be shared"),
    "two folders": (
        lambda hook: hook.share(["/out/a.csv", "/other/d.csv"], ANNA),
        {},
        InvalidShareError,
        "paths is in 2 folders, such as '/other' and '/out', .*: share each folder by itself",
    ),
    "folder is gone": (
        lambda hook: hook.request_files("/gone", ANNA),
        {},
        QuatrixNotFound,
        "There is no folder '/gone': make it first, or set create_parents=True",
    ),
    "past": (
        lambda hook: hook.share("/out/a.csv", ANNA, expires="2026-01-01T00:00:00Z"),
        {},
        InvalidShareError,
        "expires is 2026-01-01T00:00:00Z, in the past",
    ),
    "end before beginning": (
        lambda hook: hook.share("/out/a.csv", ANNA, activates=timedelta(days=2), expires=timedelta(days=1)),
        {},
        InvalidShareError,
        "not after activates",
    ),
    "pin": (lambda hook: hook.share("/out/a.csv", ANNA, pin=""), {}, InvalidShareError, "pin is empty"),
    "long message": (
        lambda hook: hook.share("/out/a.csv", ANNA, message="x" * 10_001),
        {},
        InvalidShareError,
        "message has 10,001 characters",
    ),
    "quicklink with an end": (
        lambda hook: hook.share("/out/a.csv", quicklink=True, expires=timedelta(days=1)),
        {},
        InvalidShareError,
        "expires is given, and quicklink is True",
    ),
    "forbidden type": (
        lambda hook: hook.share("/out/a.csv", ANNA, share_type="public"),
        {"share_types": ("T", "C")},
        InvalidShareError,
        "share_type is 'public' .*the account allows 'restricted', 'tracked': give another",
    ),
    "forbidden quicklink": (
        lambda hook: hook.share("/out/a.csv", quicklink=True),
        {"share_types": ("T", "C")},
        InvalidShareError,
        "that of a quicklink is 'public'",
    ),
    "too many": (
        lambda hook: hook.share("/out/*", ANNA),
        {"max_files_per_share": 2},
        InvalidShareError,
        "paths names 3 files, and the account takes 2 in one share: share their folder",
    ),
    "no reference": (lambda hook: hook.revoke_share("5e0d"), {}, InvalidShareError, "share is no reference"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused_before_anything_is_shared(
    hook: QuatrixHook, quatrix_emulator: EmulatorClient, what: str
) -> None:
    call, settings, error, message = BAD[what]
    quatrix_emulator.configure(**settings)
    with pytest.raises(error, match=message):
        call(hook)
    assert quatrix_emulator.shares == quatrix_emulator.mails == []
    assert [quatrix_emulator.calls("POST", path) for path in ("share/create", "share/request", "contact/create")] == [
        0,
        0,
        0,
    ]


def test_what_can_be_checked_here_costs_no_call(hook: QuatrixHook, quatrix_emulator: EmulatorClient) -> None:
    for what in ("nobody", "no paths", "past", "pin", "long message", "quicklink with an end", "no reference"):
        with pytest.raises(BAD[what][2]):
            BAD[what][0](hook)
    assert quatrix_emulator.requests == 0


def test_a_contact_that_another_task_has_made_meanwhile_is_found(
    hook: QuatrixHook, quatrix_emulator: EmulatorClient
) -> None:
    # The first looks do not see it yet.
    quatrix_emulator.fault("share/recipients", status=200, body=[])
    quatrix_emulator.fault("contact", status=200, body=[])
    hook.share("/out/a.csv", ANNA, create_contacts=True)
    assert quatrix_emulator.shares[0]["recipients"] == [ANNA]


def test_contacts_that_only_their_list_shows_are_found(hook: QuatrixHook, quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.fault("share/recipients", status=200, body=[])
    hook.share("/out/a.csv", ANNA)
    assert quatrix_emulator.shares[0]["recipients"] == [ANNA]
    quatrix_emulator.fault("contact", status=403, body={"code": 50, "msg": "Restricted operation"})
    with pytest.raises(InvalidShareError, match="no user or contact"):
        hook.share("/out/a.csv", BO)


def test_an_answer_of_an_unknown_kind_is_a_failure(hook: QuatrixHook, quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.fault("share/create", status=201, body={"id": None})
    with pytest.raises(QuatrixError, match="a share without an id"):
        hook.share("/out/a.csv", ANNA)
