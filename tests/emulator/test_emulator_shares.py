from __future__ import annotations

import io
import time
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import requests
from emulator_api import EMAIL, raw
from emulator_files import NO_ID, FileCalls
from emulator_shares import PARTNER, ShareCalls, base64_of

from airflow_provider_quatrix.emulator.client import EmulatorControlError

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient


@pytest.fixture
def shares(emulator: EmulatorClient) -> ShareCalls:
    return ShareCalls(emulator)


class TestCreate:
    def test_a_share(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        answer = shares.ok("POST", "share/create", shares.body(subject="Prices", message="New"), 201)
        assert answer == {"id": answer["id"], "activates": pytest.approx(time.time(), abs=60)}
        assert type(answer["activates"]) is int
        shared = shares.shared(answer["id"])
        assert (shared["kind"], shared["type"], shared["status"]) == ("share", "T", "A")
        assert (shared["sender"], shared["recipients"], shared["subject"]) == (EMAIL, [PARTNER], "Prices")
        assert [file["name"] for file in shared["files"]] == ["1.csv", "2.csv"]
        assert emulator.counters["shares"] == emulator.state()["shares"] == 1
        assert emulator.mails == []

    def test_the_recipients_are_told(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(send_email=True, subject="Prices", message="New")
        (mail,) = emulator.mails
        assert mail | {"time": 0} == {
            "kind": "share",
            "to": PARTNER,
            "sender": EMAIL,
            "share_id": share_id,
            "subject": "Prices",
            "message": "New",
            "time": 0,
        }
        assert emulator.counters["mails"] == 1

    def test_an_answer_that_is_lost(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        emulator.fault("share/create", cut="connection", execute_anyway=True)
        with pytest.raises(requests.ConnectionError):
            shares.share(send_email=True)
        (share,) = shares.ok("GET", "tracking")
        assert share["id"] == emulator.shares[0]["id"] == emulator.mails[0]["share_id"]

    def test_files_below_the_folder(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        deep = emulator.put_file(EMAIL, "out/a/b/c", b"x")
        assert shares.share(files=[deep, shares.id_of("out/a"), deep])
        elsewhere = emulator.put_file(EMAIL, "in/x", b"x")
        assert shares.refused("POST", "share/create", shares.body(files=[shares.one, elsewhere])) == (400, 10)
        assert shares.refused("POST", "share/create", shares.body(files=[shares.folder])) == (400, 10)
        assert shares.share(folder_id=shares.home, files=[shares.one, elsewhere])

    def test_users_can_be_recipients(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        emulator.add_user("other@example.com", "pw")
        share_id = shares.share(contacts=[emulator.users["other@example.com"]["id"], shares.contact, shares.contact])
        assert shares.shared(share_id)["recipients"] == ["other@example.com", PARTNER]

    @pytest.mark.parametrize(
        ("members", "refusal"),
        [
            ({"folder_id": None}, (400, 11)),
            ({"files": None}, (400, 11)),
            ({"contacts": None}, (400, 11)),
            ({"files": []}, (400, 10)),
            ({"contacts": []}, (400, 10)),
            ({"contacts": "x"}, (400, 10)),
            ({"contacts": [5]}, (400, 10)),
            ({"contacts": [NO_ID]}, (404, 20)),
            ({"files": [NO_ID]}, (404, 20)),
            ({"folder_id": NO_ID}, (404, 20)),
            ({"subject": "x" * 501}, (400, 10)),
            ({"message": "x" * 10_001}, (400, 10)),
            ({"message_signature": "x" * 501}, (400, 10)),
            ({"subject": "\ud800"}, (400, 10)),
            ({"expires": 5}, (400, 10)),
            ({"expires": -5}, (400, 10)),
            ({"activates": -1}, (400, 10)),
            ({"activates": 4_000_000_000, "expires": 3_900_000_000}, (400, 10)),
            ({"activates": 4_000_000_000, "expires": 4_000_000_000}, (400, 10)),
            ({"expires": "soon"}, (400, 10)),
            ({"share_type": "X"}, (400, 10)),
            ({"share_type": 1}, (400, 10)),
            ({"pin": "123"}, (400, 10)),
            ({"pin": ""}, (400, 10)),
            ({"pin": "/w=="}, (400, 10)),
            ({"return_pgp_encrypted": True}, (400, 10)),
            ({"pgp_encrypted": True, "share_type": "P"}, (400, 10)),
            ({"pgp_encrypted": True}, (400, 10)),
            ({"send_email": "yes"}, (400, 10)),
        ],
    )
    def test_bad_shares(
        self, shares: ShareCalls, emulator: EmulatorClient, members: dict[str, Any], refusal: tuple[int, int]
    ) -> None:
        assert shares.refused("POST", "share/create", shares.body(**{"send_email": True, **members})) == refusal
        assert emulator.shares == []
        assert emulator.mails == []

    def test_longest_texts_and_times(self, shares: ShareCalls) -> None:
        assert shares.share(
            subject="x" * 500,
            message="x" * 10_000,
            message_signature="x" * 500,
            activates=3_900_000_000,
            expires=4_000_000_000,
            return_files=True,
            return_pgp_encrypted=True,
        )

    def test_what_the_account_allows(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        emulator.configure(share_types=["T", "C"], max_files_per_share=1)
        profile = shares.ok("GET", "profile")
        assert profile["share_types"] == {"public_share": False, "restricted_share": True, "tracked_share": True}
        assert profile["max_files_per_share"] == 1
        assert shares.refused("POST", "share/create", shares.body(files=[shares.one], share_type="P")) == (400, 50)
        assert shares.refused("POST", "share/create", shares.body()) == (400, 50)
        assert shares.share(files=[shares.folder], folder_id=shares.home)
        emulator.configure(share_limit_counts_tree=True, share_limit_status=403)
        body = shares.body(files=[shares.folder], folder_id=shares.home)
        assert shares.refused("POST", "share/create", body) == (403, 50)

    def test_what_a_user_may(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        emulator.add_user(EMAIL, "Emulator-Passw0rd", share_types=["P"], max_files_per_share=1)
        profile = shares.ok("GET", "profile")
        assert profile["share_types"] == {"public_share": True, "restricted_share": False, "tracked_share": False}
        assert profile["max_files_per_share"] == 1
        assert shares.refused("POST", "share/create", shares.body(files=[shares.one])) == (400, 50)
        assert shares.refused("POST", "share/create", shares.body(share_type="P")) == (400, 50)
        assert shares.share(files=[shares.one], share_type="P")
        with pytest.raises(EmulatorControlError, match="400 max_files_per_share"):
            emulator.add_user(EMAIL, "pw", max_files_per_share=0)

    def test_without_contacts(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        emulator.configure(share_needs_contacts=False)
        assert shares.shared(shares.share(contacts=[]))["recipients"] == []

    def test_other_users_files(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        emulator.add_user("other@example.com", "pw")
        foreign = emulator.put_file("other@example.com", "x", b"x")
        assert shares.refused("POST", "share/create", shares.body(files=[foreign])) == (403, 50)

    def test_the_trash(self, shares: ShareCalls) -> None:
        shares.ok("POST", "file/delete", {"ids": [shares.one]})
        body = shares.body(folder_id=shares.id_of("Trash"), files=[shares.one])
        assert shares.refused("POST", "share/create", body) == (400, 10)
        assert shares.refused(
            "POST", "share/create", shares.body(folder_id=shares.home, files=[shares.id_of("Inbox")])
        ) == (
            400,
            10,
        )

    def test_it_needs_credentials(self, shares: ShareCalls) -> None:
        assert shares.visit("POST", "share/create", body=shares.body()).status_code == 401
        assert shares.visit("GET", "share/recipients").status_code == 401


class TestTypes:
    """Who may open a share."""

    CALLS = (("GET", "share/files/"), ("GET", "share/download-link/"), ("POST", "share/download-link/"))

    def statuses(self, shares: ShareCalls, share_id: str, token: str | None) -> set[int]:
        return {
            shares.visit(method, path + share_id, token, {} if method == "POST" else None).status_code
            for method, path in (*self.CALLS, ("GET", "share/download-info/"))
        }

    def test_everybody_opens_a_public_share(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(share_type="P")
        assert self.statuses(shares, share_id, None) == {200}
        assert self.statuses(shares, share_id, emulator.recipient_session("anybody@example.org")) == {200}
        assert self.statuses(shares, share_id, NO_ID) == {401}

    def test_whoever_is_signed_in_opens_a_tracked_share(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share()
        assert self.statuses(shares, share_id, None) == {401}
        assert self.statuses(shares, share_id, emulator.recipient_session("anybody@example.org")) == {200}

    def test_recipients_open_a_restricted_share(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(share_type="C")
        assert self.statuses(shares, share_id, None) == {401}
        assert self.statuses(shares, share_id, emulator.recipient_session("anybody@example.org")) == {403}
        assert self.statuses(shares, share_id, emulator.recipient_session(PARTNER.upper())) == {200}
        assert shares.call("GET", f"share/files/{share_id}").status_code == 200
        emulator.configure(owner_reads_share=False)
        assert shares.refused("GET", f"share/files/{share_id}") == (403, 50)

    def test_a_dead_session(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id, token = shares.share(), emulator.recipient_session(PARTNER)
        emulator.expire_sessions(PARTNER)
        assert self.statuses(shares, share_id, token) == {401}

    def test_unknown_shares(self, shares: ShareCalls) -> None:
        for method, path in (*self.CALLS, ("GET", "share/download-info/"), ("GET", "share/revoke/")):
            assert shares.refused(method, path + NO_ID, {} if method == "POST" else None) == (404, 20)


class TestInfo:
    def test_all_members(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(subject="Prices", message="New", expires=4_000_000_000, pin=base64_of("123"))
        info = shares.visit("GET", f"share/download-info/{share_id}", emulator.recipient_session(PARTNER)).json()
        assert info | {"activates": 0} == {
            "id": share_id,
            "message": "New",
            "subject": "Prices",
            "activates": 0,
            "expires": 4_000_000_000,
            "sender_name": "robot",
            "sender_email": EMAIL,
            "user_name": "partner",
            "user_email": PARTNER,
            "user_id": emulator.users[PARTNER]["id"],
            "locale": "en_US",
            "title": "Quatrix emulator",
            "status": "A",
            "share_type": "T",
            "expired": False,
            "is_reply": False,
            "pin_protected": True,
            "pgp_encrypted": False,
            "pgp_enabled": False,
            "private_key": None,
        }

    def test_a_stranger(self, shares: ShareCalls) -> None:
        info = shares.visit("GET", f"share/download-info/{shares.share(share_type='P')}").json()
        assert info["user_email"] is info["user_id"] is info["user_name"] is None

    def test_files(self, shares: ShareCalls) -> None:
        share_id = shares.share(folder_id=shares.home, files=[shares.folder])
        (folder,) = shares.ok("GET", f"share/files/{share_id}")
        assert folder == {
            "id": folder["id"],
            "name": "out",
            "size": 30,
            "count": 2,
            "type": "D",
            "download_locked": False,
        }
        assert folder["id"] != shares.folder
        shares.ok("POST", f"file/rename/{shares.folder}", {"name": "sent"})
        shares.ok("POST", "file/delete", {"ids": [shares.one]})
        (folder,) = shares.ok("GET", f"share/files/{share_id}")
        assert (folder["name"], folder["size"], folder["count"]) == ("sent", 20, 1)
        shares.ok("POST", "file/delete", {"ids": [shares.folder]})
        assert shares.ok("GET", f"share/files/{share_id}") == []
        assert shares.refused("GET", f"share/download-link/{share_id}") == (404, 20)


class TestClosed:
    def test_revoke(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share()
        link = shares.ok("GET", f"share/download-link/{share_id}")["id"]
        assert shares.ok("GET", f"share/revoke/{share_id}") == {"id": share_id}
        assert shares.ok("GET", f"share/download-info/{share_id}")["status"] == "D"
        assert shares.refused("GET", f"share/files/{share_id}") == (404, 80)
        assert shares.refused("GET", f"share/download-link/{share_id}") == (404, 80)
        assert shares.refused("GET", f"share/download/{link}") == (404, 80)
        assert shares.ok("GET", f"share/revoke/{share_id}") == {"id": share_id}
        emulator.configure(revoke_twice_status=400)
        assert shares.refused("GET", f"share/revoke/{share_id}") == (400, 80)

    def test_only_the_sender_revokes(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share()
        assert shares.visit("GET", f"share/revoke/{share_id}", emulator.recipient_session(PARTNER)).status_code == 403
        assert shares.visit("GET", f"share/revoke/{share_id}").status_code == 401
        assert shares.shared(share_id)["status"] == "A"

    def test_expiry(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        now = emulator.state()["clock"]["now"]
        share_id = shares.share(expires=now + 3600)
        emulator.advance(3601)
        assert shares.ok("GET", f"share/download-info/{share_id}")["expired"] is True
        assert shares.refused("GET", f"share/files/{share_id}") == (404, 60)
        emulator.configure(closed_share_status=400)
        assert shares.refused("GET", f"share/files/{share_id}") == (400, 60)

    def test_before_activation(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(activates=emulator.state()["clock"]["now"] + 3600)
        assert shares.refused("GET", f"share/files/{share_id}") == (404, 81)
        emulator.advance(3601)
        assert len(shares.ok("GET", f"share/files/{share_id}")) == 2


class TestPin:
    def test_a_session(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id, token = shares.share(pin=base64_of("späte 1")), emulator.recipient_session(PARTNER)
        answer = shares.visit("GET", f"share/files/{share_id}", token)
        assert (answer.status_code, answer.json()["code"]) == (401, 73)
        wrong = shares.visit("POST", "share/login-pin", token, {"id": share_id, "pin": base64_of("x")})
        assert (wrong.status_code, wrong.json()["code"]) == (401, 84)
        right = shares.visit("POST", "share/login-pin", token, {"id": share_id, "pin": base64_of("späte 1")})
        assert (right.status_code, right.content, right.headers["Content-Type"]) == (200, b"", "application/json")
        assert "X-Auth-Token" not in right.headers
        assert shares.visit("GET", f"share/files/{share_id}", token).status_code == 200
        other = emulator.recipient_session(PARTNER)
        assert shares.visit("GET", f"share/files/{share_id}", other).status_code == 401

    def test_the_sender(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        emulator.configure(share_pin_code=71)
        share_id = shares.share(pin=base64_of("1"))
        assert shares.refused("GET", f"share/files/{share_id}") == (401, 71)
        assert shares.call("POST", "share/login-pin", {"id": share_id, "pin": base64_of("1")}).status_code == 200
        assert shares.call("GET", f"share/files/{share_id}").status_code == 200

    def test_a_stranger_gets_a_token(self, shares: ShareCalls) -> None:
        share_id, other = (shares.share(pin=base64_of("1"), share_type="P") for _ in range(2))
        assert shares.visit("GET", f"share/files/{share_id}").status_code == 401
        token = shares.visit("POST", "share/login-pin", body={"id": share_id, "pin": base64_of("1")}).headers[
            "X-Auth-Token"
        ]
        assert shares.visit("GET", f"share/files/{share_id}", token).status_code == 200
        assert shares.visit("GET", f"share/files/{share_id}").status_code == 401
        assert shares.visit("GET", f"share/files/{other}", token).status_code == 401
        again = shares.visit("POST", "share/login-pin", token, {"id": other, "pin": base64_of("1")})
        assert "X-Auth-Token" not in again.headers
        assert shares.visit("GET", f"share/files/{other}", token).status_code == 200
        assert shares.visit("GET", "profile", token).status_code == 401

    def test_a_stranger_is_known_by_the_address(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        emulator.configure(share_pin_guest="address")
        share_id = shares.share(pin=base64_of("1"), share_type="P")
        answer = shares.visit("POST", "share/login-pin", body={"id": share_id, "pin": base64_of("1")})
        assert (answer.status_code, answer.headers.get("X-Auth-Token")) == (200, None)
        assert shares.visit("GET", f"share/files/{share_id}").status_code == 200

    def test_it_is_shown_nowhere(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(pin=base64_of("S3cret"))
        assert shares.shared(share_id)["has_pin"] is True
        assert "S3cret" not in str(emulator.shares) + str(emulator.state()) + str(
            shares.ok("GET", f"share/download-info/{share_id}")
        )

    @pytest.mark.parametrize(
        ("body", "refusal"),
        [
            ({"pin": "MQ=="}, (400, 11)),
            ({"id": NO_ID}, (400, 11)),
            ({"id": NO_ID, "pin": "?"}, (400, 10)),
            ({"id": NO_ID, "pin": "MQ=="}, (404, 20)),
        ],
    )
    def test_bad_calls(self, shares: ShareCalls, body: dict[str, Any], refusal: tuple[int, int]) -> None:
        assert shares.refused("POST", "share/login-pin", body) == refusal

    def test_no_pin_is_wanted(self, shares: ShareCalls) -> None:
        assert shares.call("POST", "share/login-pin", {"id": shares.share(), "pin": "MQ=="}).status_code == 200


class TestDownload:
    def link(self, shares: ShareCalls, share_id: str, token: str | None = None, names: tuple[str, ...] = ()) -> str:
        listed = {file["name"]: file["id"] for file in shares.visit("GET", f"share/files/{share_id}", token).json()}
        if names:
            body = {"files": [listed[name] for name in names]}
            answer = shares.visit("POST", f"share/download-link/{share_id}", token, body)
        else:
            answer = shares.visit("GET", f"share/download-link/{share_id}", token)
        assert answer.status_code == 200, answer.text
        return "share/download/" + str(answer.json()["id"])

    def test_one_file(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id, token = shares.share(notify=True, subject="Prices"), emulator.recipient_session(PARTNER)
        link = self.link(shares, share_id, token, ("1.csv",))
        assert shares.downloads(share_id) == {"1.csv": [], "2.csv": []}
        content = shares.visit("GET", link).content
        assert content == emulator.read_file(EMAIL, "out/1.csv")
        downloads = shares.downloads(share_id)
        assert downloads["2.csv"] == []
        (download,) = downloads["1.csv"]
        assert (download["recipient"], download["address"], download["size"]) == (PARTNER, "127.0.0.1", 10)
        assert emulator.counters["share_downloads"] == 1
        assert emulator.counters["download_bytes"] == 10
        assert [(mail["kind"], mail["to"], mail["message"]) for mail in emulator.mails] == [
            ("downloaded", EMAIL, "1.csv")
        ]

    def test_all_files_are_an_archive(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id, token = shares.share(), emulator.recipient_session(PARTNER)
        answer = shares.visit("GET", self.link(shares, share_id, token))
        assert zipfile.ZipFile(io.BytesIO(answer.content)).namelist() == ["1.csv", "2.csv"]
        assert [len(downloads) for downloads in shares.downloads(share_id).values()] == [1, 1]
        assert emulator.mails == []

    def test_a_folder_counts_as_one(self, shares: ShareCalls) -> None:
        share_id = shares.share(share_type="P", folder_id=shares.home, files=[shares.folder])
        answer = shares.visit("GET", self.link(shares, share_id))
        assert zipfile.ZipFile(io.BytesIO(answer.content)).namelist() == ["out/", "out/1.csv", "out/2.csv"]
        assert [(download["name"], download["size"]) for download in shares.downloads(share_id)["out"]] == [("out", 30)]

    def test_each_complete_download_counts(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        big = emulator.put_file(EMAIL, "out/big", size=3_000_000)
        share_id = shares.share(share_type="P", files=[big])
        link = self.link(shares, share_id)
        assert shares.visit("GET", link).status_code == 200
        emulator.fault(link, cut="body")
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            shares.visit("GET", link)
        assert len(shares.downloads(share_id)["big"]) == 1
        rest = shares.visit("GET", link, headers={"Range": "bytes=1500000-"})
        assert (rest.status_code, len(rest.content)) == (206, 1_500_000)
        assert len(shares.downloads(share_id)["big"]) == 1
        emulator.configure(share_ranges_count=True)
        shares.visit("GET", link, headers={"Range": "bytes=1500000-"})
        assert len(shares.downloads(share_id)["big"]) == 2
        assert shares.visit("GET", link, headers={"Range": "bytes=3000000-"}).status_code == 416

    def test_it_counts_as_soon_as_all_is_sent(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        link = self.link(shares, shares.share(share_type="P", files=[shares.one]))
        emulator.configure(bytes_per_second=5)
        assert len(shares.visit("GET", link).content) == 10
        assert emulator.counters["share_downloads"] == 1

    def test_a_client_that_goes_away(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        emulator.configure(bytes_per_second=1_000_000)
        big = emulator.put_file(EMAIL, "out/big", size=100_000_000)
        share_id = shares.share(share_type="P", files=[big])
        link = self.link(shares, share_id)
        with shares.http.get(f"{emulator.api_url}{link}", stream=True, timeout=10) as answer:
            assert answer.raw.read(1000)
        assert shares.downloads(share_id) == {"big": []}

    def test_public_downloads_tell_the_address_only(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id, token = shares.share(share_type="P", files=[shares.one]), emulator.recipient_session(PARTNER)
        shares.visit("GET", self.link(shares, share_id))
        shares.visit("GET", self.link(shares, share_id, token))
        emulator.configure(public_shares_know_users=True)
        shares.visit("GET", self.link(shares, share_id))
        shares.visit("GET", self.link(shares, share_id, token))
        recipients = [download["recipient"] for download in shares.downloads(share_id)["1.csv"]]
        assert recipients == [None, None, None, PARTNER]

    def test_the_link_is_enough(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        token = emulator.recipient_session(PARTNER)
        link = self.link(shares, shares.share(), token)
        assert shares.visit("GET", link, NO_ID).status_code == 200
        emulator.configure(share_download_needs_caller=True)
        assert shares.visit("GET", link).status_code == 401
        assert shares.visit("GET", link, token).status_code == 200

    def test_links_end(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(share_type="P")
        link = self.link(shares, share_id)
        emulator.advance(901)
        assert shares.refused("GET", link) == (404, 20)
        emulator.configure(download_link_once=True)
        link = self.link(shares, share_id)
        assert shares.visit("GET", link).status_code == 200
        assert shares.refused("GET", link) == (404, 20)
        link = self.link(shares, share_id)
        shares.ok("POST", "file/delete", {"ids": [shares.one]})
        assert shares.refused("GET", link) == (404, 20)
        assert shares.refused("GET", f"share/download/{NO_ID}") == (404, 20)

    def test_unknown_shared_files(self, shares: ShareCalls) -> None:
        share_id, other = shares.share(), shares.share()
        foreign = shares.ok("GET", f"share/files/{other}")[0]["id"]
        for file_id in (shares.one, foreign, NO_ID):
            assert shares.refused("POST", f"share/download-link/{share_id}", {"files": [file_id]}) == (404, 20)
        assert shares.refused("POST", f"share/download-link/{share_id}", {"files": [5]}) == (400, 10)
        assert shares.ok("POST", f"share/download-link/{share_id}", {"files": []})["id"]

    def test_head_counts_nothing(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(share_type="P")
        link = self.link(shares, share_id)
        raw(emulator.url, f"HEAD /api/1.0/{link} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert emulator.counters["share_downloads"] == 0


class TestControls:
    """Acting as a recipient by control calls."""

    def test_download(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(share_type="C", pin=base64_of("42"))
        before = emulator.requests
        assert emulator.download_share(share_id, PARTNER, "42") == ["1.csv", "2.csv"]
        assert emulator.download_share(share_id, PARTNER, "42", ["2.csv"]) == ["2.csv"]
        assert [len(downloads) for downloads in shares.downloads(share_id).values()] == [1, 2]
        assert shares.downloads(share_id)["1.csv"][0]["recipient"] == PARTNER
        assert emulator.requests == before

    def test_a_stranger(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(share_type="P", pin=base64_of("42"))
        assert emulator.download_share(share_id, pin="42", files=["1.csv"]) == ["1.csv"]
        assert shares.downloads(share_id)["1.csv"][0]["recipient"] is None

    def test_the_rules_hold(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(share_type="C", pin=base64_of("42"))
        for arguments, words in [
            ((share_id,), "400 Not authorized"),
            ((share_id, "other@example.org", "42"), "400 No permission"),
            ((share_id, PARTNER), "400 PIN required"),
            ((share_id, PARTNER, "43"), "400 Wrong PIN"),
            ((share_id, "no address"), "400 email"),
            ((share_id, PARTNER, "42", ["3.csv"]), "404 No shared file 3.csv"),
            ((NO_ID, PARTNER), "404 No such share"),
        ]:
            with pytest.raises(EmulatorControlError, match=words):
                emulator.download_share(*arguments)
        shares.ok("GET", f"share/revoke/{share_id}")
        with pytest.raises(EmulatorControlError, match="400 The share is revoked"):
            emulator.download_share(share_id, PARTNER, "42")
        assert emulator.counters["share_downloads"] == 0

    def test_a_session_without_a_login(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        token = emulator.recipient_session(PARTNER)
        profile = shares.visit("GET", "profile", token).json()
        assert (profile["email"], profile["is_contact"]) == (PARTNER, True)
        assert emulator.logins == 0

    def test_a_reset_forgets_all(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        shares.share(send_email=True)
        emulator.reset()
        assert emulator.shares == emulator.mails == []
        assert FileCalls(emulator).ok("GET", "contact") == []

    def test_bad_contacts(self, emulator: EmulatorClient) -> None:
        with pytest.raises(EmulatorControlError, match="404 No user nobody"):
            emulator.add_contact("nobody@example.org", PARTNER)
        with pytest.raises(EmulatorControlError, match="400 Parameter 'email'"):
            emulator.add_contact(EMAIL, "x")
