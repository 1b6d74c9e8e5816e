"""The calls for shares, contacts and tracking over the wire, and what they read."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_quatrix.api import ApiKeyAuthorizer, QuatrixClient
from airflow_provider_quatrix.api.errors import QuatrixConflict, QuatrixNotFound, QuatrixResponseError
from airflow_provider_quatrix.api.share_models import (
    Activity,
    CreatedRequest,
    CreatedShare,
    Download,
    NewShare,
    SharedFile,
    ShareInfo,
    ShareLimits,
    ShareType,
    TrackedShare,
)
from airflow_provider_quatrix.pytest_plugin import EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.api import Transport
    from airflow_provider_quatrix.emulator.client import EmulatorClient

PARTNER = "partner@example.com"
PIN = "Pin-2468"
TIME = 1_700_000_000


@pytest.fixture
def client(over: Transport, quatrix_emulator: EmulatorClient) -> QuatrixClient:
    quatrix_emulator.add_api_key("share-key-1", EMAIL)
    quatrix_emulator.put_file(EMAIL, "/out/a.csv", b"12345")
    return QuatrixClient(over, ApiKeyAuthorizer("share-key-1"))


def new_share(client: QuatrixClient, **how: Any) -> NewShare:
    found = client.files.find("out/a.csv")
    assert found is not None
    file = client.files.stat(found[0])
    contact = client.contacts.create(PARTNER, "The Partner")
    return NewShare(file.parent_id, (file.id,), (contact.id,), **how)


def test_a_share_from_beginning_to_end(client: QuatrixClient, quatrix_emulator: EmulatorClient) -> None:
    ends = int((datetime.now(UTC) + timedelta(days=1)).timestamp())
    share = client.shares.create_share(
        new_share(
            client, subject="Figures", message="Please look", expires=ends, pin=PIN, share_type=ShareType.RESTRICTED
        )
    )
    (stored,) = quatrix_emulator.shares
    assert stored["id"] == share.id
    assert (stored["subject"], stored["message"], stored["expires"]) == ("Figures", "Please look", ends)
    assert (stored["type"], stored["has_pin"], stored["recipients"]) == ("C", True, [PARTNER])
    assert [mail["to"] for mail in quatrix_emulator.mails] == [PARTNER]

    info = client.shares.download_info(share.id)
    assert (info.subject, info.sender, info.share_type) == ("Figures", EMAIL, ShareType.RESTRICTED)
    assert (info.expires, info.expired, info.revoked, info.pin_protected) == (ends, False, False, True)

    (file,) = client.tracking.files(share.id)
    assert (file.name, file.size, file.downloads) == ("a.csv", 5, 0)
    assert client.tracking.downloads(file.id) == ()
    quatrix_emulator.download_share(share.id, PARTNER, PIN)
    (file,) = client.tracking.files(share.id)
    assert file.downloads == 1
    (download,) = client.tracking.downloads(file.id)
    assert (download.recipient, download.file, download.size) == (PARTNER, "a.csv", 5)

    client.shares.revoke_share(share.id)
    (entry,) = client.tracking.shares()
    assert (entry.id, entry.subject, entry.emails, entry.expires) == (share.id, "Figures", (PARTNER,), ends)
    assert (entry.revoked, entry.is_request, entry.owner_id) == (True, False, client.profile().id)


def test_a_quicklink_from_beginning_to_end(client: QuatrixClient, quatrix_emulator: EmulatorClient) -> None:
    found = client.files.find("out/a.csv")
    assert found is not None
    link = client.shares.create_quicklink([found[0]], subject="For all", pin=PIN, notify=False)
    (stored,) = quatrix_emulator.shares
    assert (stored["id"], stored["kind"], stored["has_pin"]) == (link.id, "quicklink", True)
    assert link.expires == int(stored["expires"])
    quatrix_emulator.download_share(link.id, pin=PIN)
    (file,) = client.tracking.files(link.id)
    (download,) = client.tracking.downloads(file.id)
    assert (download.recipient, bool(download.address)) == ("", True)
    client.shares.revoke_quicklink(link.id)
    assert [entry.revoked for entry in client.tracking.shares()] == [True]


def test_a_request_from_beginning_to_end(client: QuatrixClient, quatrix_emulator: EmulatorClient) -> None:
    share = new_share(client)
    asked = client.shares.request_files(share.recipient_ids, share.folder_id, message="Please send", send_email=True)
    assert asked.url.startswith("http")
    (stored,) = quatrix_emulator.shares
    assert (stored["id"], stored["kind"], stored["folder"]) == (asked.id, "request", "/out")
    quatrix_emulator.advance(60)
    assert [(mail["kind"], mail["to"]) for mail in quatrix_emulator.mails] == [("request", PARTNER)]
    info = client.shares.return_info(asked.id)
    assert (info.folder_id, info.message, info.sender) == (share.folder_id, "Please send", EMAIL)
    (entry,) = client.tracking.shares()
    assert (entry.is_request, entry.emails) == (True, (PARTNER,))
    client.shares.revoke_share(asked.id)
    assert [entry.revoked for entry in client.tracking.shares()] == [True]


def test_people_are_found(client: QuatrixClient, quatrix_emulator: EmulatorClient) -> None:
    made = client.contacts.create(PARTNER, "The Partner")
    assert client.shares.recipients("PART") == client.shares.recipients(PARTNER) == (made,)
    assert client.contacts.all() == (made,)
    with pytest.raises(QuatrixConflict):
        client.contacts.create(PARTNER, "Another")
    quatrix_emulator.configure(recipients_as_object=True)
    assert client.shares.recipients(PARTNER) == (made,)
    assert client.shares.recipients("nobody") == ()
    client.contacts.delete([made.id])
    assert client.contacts.all() == ()


def test_what_is_not_there_is_told(client: QuatrixClient) -> None:
    unknown = "5e0d3a52-1111-4222-8333-444455556666"
    for call in (
        client.shares.revoke_share,
        client.shares.revoke_quicklink,
        client.shares.download_info,
        client.shares.return_info,
        client.shares.files,
        client.tracking.files,
    ):
        with pytest.raises(QuatrixNotFound) as caught:
            call(unknown)
        assert unknown not in str(caught.value)


def test_the_activity_log(client: QuatrixClient) -> None:
    share = client.shares.create_share(new_share(client))
    about = [each for each in client.tracking.activity() if each.is_about(share.id)]
    assert {each.action for each in about} >= {"create", "sent-email"}
    assert {each.event for each in about} == {"share"}
    assert client.tracking.activity(start=2_000_000_000.0) == ()
    assert len(client.tracking.activity(limit=1)) == 1
    assert client.tracking.csv().startswith(b"Time,Event,Action")


CREATING: dict[str, Callable[[QuatrixClient, NewShare], Any]] = {
    "share/create": lambda client, share: client.shares.create_share(share),
    "quicklink/create": lambda client, share: client.shares.create_quicklink(
        share.file_ids, subject="", pin=None, notify=False
    ),
    "share/request": lambda client, share: client.shares.request_files(
        share.recipient_ids, share.folder_id, message="", send_email=True
    ),
}


@pytest.mark.parametrize("call", CREATING)
def test_a_call_that_shares_is_not_repeated(client: QuatrixClient, quatrix_emulator: EmulatorClient, call: str) -> None:
    share = new_share(client)
    quatrix_emulator.fault(call, status=502, body="<html>Bad gateway</html>", execute_anyway=True)
    with pytest.raises(QuatrixResponseError):
        CREATING[call](client, share)
    assert quatrix_emulator.calls("POST", call) == len(quatrix_emulator.shares) == 1


@pytest.mark.parametrize("call", CREATING)
@pytest.mark.parametrize("body", ["{}", "[]", '{"id": 5}', "null"])
def test_an_answer_without_an_id_is_no_success(
    client: QuatrixClient, quatrix_emulator: EmulatorClient, call: str, body: str
) -> None:
    share = new_share(client)
    quatrix_emulator.fault(call, status=201, body=body)
    with pytest.raises(QuatrixResponseError, match="Quatrix sent"):
        CREATING[call](client, share)


def test_secrets_are_masked_once_they_are_known(client: QuatrixClient, quatrix_emulator: EmulatorClient) -> None:
    share = client.shares.create_share(new_share(client, pin=PIN))
    text = f"{share.id} {PIN} {base64.b64encode(PIN.encode()).decode()}"
    assert client.redact(text) == "*** *** ***"
    quatrix_emulator.fault("share/revoke/*", status=400, body={"code": 10, "msg": f"what is {share.id} with {PIN}?"})
    with pytest.raises(Exception, match=r"what is \*\*\* with \*\*\*\?"):
        client.shares.revoke_share(share.id)


# What is read


@pytest.mark.parametrize(
    "value",
    [
        CreatedShare("secret-id"),
        CreatedRequest("secret-id", "https://x/secret-id"),
        TrackedShare.from_response({"id": "secret-id"}),
        NewShare("folder", ("file",), pin="secret-id"),
        Activity.from_response({"payload": {"share": "secret-id"}}),
    ],
)
def test_no_repr_shows_a_secret(value: object) -> None:
    assert "secret-id" not in repr(value)


@pytest.mark.parametrize("odd", [None, 5, "text", [], {}, True, float("inf")])
def test_odd_members_become_empty(odd: Any) -> None:
    for kind in (CreatedShare, CreatedRequest, TrackedShare, SharedFile, Download, Activity, ShareInfo):
        names = {
            *("id", "url", "subject", "type", "share_type", "emails", "owner_id", "created", "expires", "expire_date"),
            *("status", "is_request", "name", "size", "downloads", "recipient", "ip", "duration", "time", "payload"),
        }
        read = kind.from_response(dict.fromkeys(names, odd))  # type: ignore[attr-defined]
        assert kind.from_response({}) is not None  # type: ignore[attr-defined]
        assert isinstance(read, kind)
    entry = TrackedShare.from_response({"emails": [odd, "a"], "status": odd, "created": odd, "expire_date": 0})
    assert entry.emails[-1] == "a"
    assert entry.expires is None


def test_limits() -> None:
    everything = frozenset({ShareType.PUBLIC, ShareType.TRACKED, ShareType.RESTRICTED})
    assert ShareLimits.from_profile({}) == ShareLimits(None, None)
    assert ShareLimits.from_profile({"share_types": {}, "max_files_per_share": 0}) == ShareLimits(everything, None)
    limits = ShareLimits.from_profile(
        {"share_types": {"public_share": False, "tracked_share": True}, "max_files_per_share": 20}
    )
    assert limits == ShareLimits(everything - {ShareType.PUBLIC}, 20)


def test_an_activity_names_a_share_anywhere_in_its_payload() -> None:
    payload = {"files": [{"shares": ["one", {"id": "two"}]}]}
    activity = Activity.from_response({"payload": payload})
    assert activity.is_about("one")
    assert activity.is_about("two")
    assert not activity.is_about("three")
    assert not Activity.from_response({}).is_about("one")
