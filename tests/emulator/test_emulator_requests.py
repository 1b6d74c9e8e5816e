from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from emulator_api import EMAIL
from emulator_files import NO_ID, FileCalls
from emulator_shares import PARTNER, ShareCalls, base64_of

from airflow_provider_quatrix.emulator.client import EmulatorControlError

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

DAY = 86400


@pytest.fixture
def shares(emulator: EmulatorClient) -> ShareCalls:
    emulator.configure(job_seconds=0)
    return ShareCalls(emulator)


class TestQuicklinks:
    def create(self, shares: ShareCalls, **members: Any) -> dict[str, Any]:
        return dict(shares.ok("POST", "quicklink/create", {"files": [shares.one], **members}, 201))

    def test_create(self, shares: ShareCalls) -> None:
        answer = self.create(shares, subject="Prices")
        assert answer["files"] == [shares.one]
        assert answer["expires"] - answer["activates"] == 7 * DAY
        assert set(answer) == {"id", "files", "activates", "expires"}
        shared = shares.shared(answer["id"])
        assert (shared["kind"], shared["type"], shared["recipients"]) == ("quicklink", "P", [])
        assert shares.visit("GET", f"share/download-info/{answer['id']}").json()["subject"] == "Prices"

    def test_a_stranger_downloads(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = self.create(shares)["id"]
        link = shares.visit("GET", f"share/download-link/{share_id}").json()["id"]
        assert shares.visit("GET", f"share/download/{link}").content == emulator.read_file(EMAIL, "out/1.csv")
        assert shares.ok("GET", f"tracking/files/{share_id}")[0]["downloads"] == 1
        assert [mail["kind"] for mail in emulator.mails] == ["downloaded"]
        quiet = self.create(shares, notify=False)["id"]
        emulator.download_share(quiet)
        assert len(emulator.mails) == 1

    def test_expiry(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = self.create(shares)["id"]
        emulator.advance(7 * DAY + 1)
        assert shares.refused("GET", f"share/files/{share_id}") == (404, 60)
        emulator.configure(quicklink_days=None, quicklink_status=200)
        answer = shares.ok("POST", "quicklink/create", {"files": [shares.one]}, 200)
        assert answer["expires"] == 0

    def test_pin(self, shares: ShareCalls) -> None:
        share_id = self.create(shares, pin=base64_of("42"))["id"]
        wrong = shares.visit("POST", "quicklink/login-pin", body={"id": share_id, "pin": base64_of("43")})
        assert (wrong.status_code, wrong.json()["code"]) == (401, 84)
        right = shares.visit("POST", "quicklink/login-pin", body={"id": share_id, "pin": base64_of("42")})
        assert (right.status_code, right.content) == (200, b"")
        token = right.headers["X-Auth-Token"]
        assert shares.visit("GET", f"share/files/{share_id}", token).status_code == 200
        body = {"id": shares.share(), "pin": base64_of("42")}
        assert shares.refused("POST", "quicklink/login-pin", body) == (404, 20)

    def test_revoke(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        first, second = self.create(shares)["id"], self.create(shares)["id"]
        assert shares.ok("GET", f"quicklink/revoke/{first}") == {"id": first}
        assert shares.ok("GET", f"share/revoke/{second}") == {"id": second}
        assert {share["status"] for share in emulator.shares} == {"D"}
        share = shares.share()
        assert shares.refused("GET", f"quicklink/revoke/{share}") == (404, 20)
        third = self.create(shares)["id"]
        token = emulator.recipient_session(PARTNER)
        assert shares.visit("GET", f"quicklink/revoke/{third}", token).status_code == 403

    @pytest.mark.parametrize(
        ("body", "refusal"),
        [
            ({}, (400, 11)),
            ({"files": []}, (400, 10)),
            ({"files": [NO_ID]}, (404, 20)),
            ({"subject": "x" * 501}, (400, 10)),
            ({"pin": "x"}, (400, 10)),
        ],
    )
    def test_bad_quicklinks(
        self, shares: ShareCalls, emulator: EmulatorClient, body: dict[str, Any], refusal: tuple[int, int]
    ) -> None:
        body = body if "files" in body or not body else {"files": [shares.one], **body}
        assert shares.refused("POST", "quicklink/create", body) == refusal
        assert emulator.shares == []

    def test_what_the_account_allows(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        emulator.configure(share_types=["T"])
        assert shares.refused("POST", "quicklink/create", {"files": [shares.one]}) == (400, 50)
        emulator.configure(share_types=["P"], max_files_per_share=1)
        assert shares.refused("POST", "quicklink/create", {"files": [shares.one, shares.two]}) == (400, 50)


class TestRequests:
    def ask(self, shares: ShareCalls, **members: Any) -> dict[str, Any]:
        return dict(shares.ok("POST", "share/request", {"ids": [shares.contact], **members}))

    def test_request(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        answer = self.ask(shares, folder_id=shares.folder, message="Please")
        assert answer == {
            "id": answer["id"],
            "url": f"{emulator.url}/files-return/{answer['id']}",
            "job_id": emulator.jobs[0]["job_id"],
        }
        (mail,) = emulator.mails
        assert (mail["kind"], mail["to"], mail["message"]) == ("request", PARTNER, "Please")
        shared = shares.shared(answer["id"])
        assert (shared["kind"], shared["folder"], shared["takes_files"]) == ("request", "/out", True)
        (tracked,) = shares.ok("GET", "tracking/")
        assert (tracked["is_request"], tracked["can_reply"], tracked["folder"]) == (True, True, shares.folder)
        entries = shares.ok("GET", "tracking/activity")[::-1]
        assert [entry["action"] for entry in entries] == ["create", "sent-email"]

    def test_without_an_email(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        answer = self.ask(shares, send_email=False)
        assert answer["job_id"] is None
        assert emulator.mails == emulator.jobs == []
        assert shares.shared(answer["id"])["folder"] == "/Inbox"
        emulator.reset(settings={"system_folders": False})
        again = ShareCalls(emulator)
        assert again.shared(self.ask(again)["id"])["folder"] == "/"

    def test_a_reminder(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = self.ask(shares, message="Please")["id"]
        job = shares.ok("POST", f"share/send-request/{share_id}", {"message": "Soon"}, 202)
        shares.ok("POST", f"share/send-request/{share_id}", status=202)
        assert job == {"job_id": emulator.jobs[1]["job_id"]}
        assert [mail["message"] for mail in emulator.mails] == ["Please", "Soon", "Soon"]
        assert shares.refused("POST", f"share/send-request/{shares.share()}", {}) == (400, 10)
        assert shares.refused("POST", f"share/send-request/{NO_ID}", {}) == (404, 20)
        shares.ok("GET", f"share/revoke/{share_id}")
        assert shares.refused("POST", f"share/send-request/{share_id}", {}) == (404, 80)

    @pytest.mark.parametrize(
        ("body", "refusal"),
        [
            ({}, (400, 11)),
            ({"ids": []}, (400, 10)),
            ({"ids": [NO_ID]}, (404, 20)),
            ({"folder_id": NO_ID}, (404, 20)),
            ({"message": "x" * 10_001}, (400, 10)),
            ({"send_email": 1}, (400, 10)),
        ],
    )
    def test_bad_requests(
        self, shares: ShareCalls, emulator: EmulatorClient, body: dict[str, Any], refusal: tuple[int, int]
    ) -> None:
        body = body if "ids" in body or not body else {"ids": [shares.contact], **body}
        assert shares.refused("POST", "share/request", body) == refusal
        assert emulator.shares == []

    def test_bad_folders(self, shares: ShareCalls) -> None:
        for folder in (shares.one, shares.id_of("Trash")):
            body = {"ids": [shares.contact], "folder_id": folder}
            assert shares.refused("POST", "share/request", body) == (400, 10)

    def test_expiry(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        emulator.configure(request_days=1)
        share_id = self.ask(shares)["id"]
        emulator.advance(DAY + 1)
        assert shares.refused("GET", f"files-return/metadata/{share_id}") == (404, 60)


class TestReturns:
    def ask(self, shares: ShareCalls, **members: Any) -> str:
        body = {"ids": [shares.contact], "folder_id": shares.folder, "message": "Please", **members}
        return str(shares.ok("POST", "share/request", body)["id"])

    def upload(self, shares: ShareCalls, share_id: str, token: str | None, name: str, parent_id: str = "") -> str:
        body = {"name": name, "parent_id": parent_id, "file_size": 5}
        link = shares.visit("POST", f"files-return/upload-link/{share_id}", token, body).json()
        chunk = shares.visit(
            "POST",
            f"/upload/chunked/{link['upload_key']}",
            headers={"Content-Range": "bytes 0-4/5"},
            data=b"12345",
        )
        assert chunk.json() == link["file_id"]
        done = shares.visit("GET", f"upload/finalize/{link['upload_key']}", token)
        assert done.json()["size"] == 5
        return str(link["file_id"])

    def test_metadata(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        emulator.configure(max_files_per_share=7)
        share_id, token = self.ask(shares), emulator.recipient_session(PARTNER)
        answer = shares.visit("GET", f"files-return/metadata/{share_id}", token).json()
        assert answer | {"activates": 0} == {
            "id": share_id,
            "subject": "",
            "message": "Please",
            "sender_name": "robot",
            "sender_email": EMAIL,
            "sender_key": None,
            "user_name": "partner",
            "user_email": PARTNER,
            "locale": "en_US",
            "title": "Quatrix emulator",
            "share_type": "T",
            "folder_id": shares.folder,
            "activates": 0,
            "expires": 0,
            "files_per_share": 7,
            "pgp_enabled": False,
            "return_pgp_encrypted": False,
        }

    def test_a_reply(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id, token = self.ask(shares), emulator.recipient_session(PARTNER)
        made = shares.visit("POST", f"files-return/makedir/{share_id}", token, {"name": "may"})
        folder = made.json()
        assert (made.status_code, set(folder), folder["parent_id"]) == (
            201,
            {"id", "parent_id", "modified"},
            shares.folder,
        )
        first = self.upload(shares, share_id, token, "a.csv", folder["id"])
        second = self.upload(shares, share_id, token, "1.csv")
        assert emulator.read_file(EMAIL, "out/may/a.csv") == b"12345"
        assert shares.names("out") == ["1.csv", "2.csv", "may", "1(1).csv"]
        body = {"id": share_id, "files": [first, second], "message": "Here"}
        sent = shares.visit("POST", "files-return/send", token, body)
        assert (sent.status_code, sent.json()) == (201, {"file_ids": [first, second]})
        assert shares.shared(share_id)["replied"] == [PARTNER]
        reply = emulator.shares[-1]
        assert (reply["kind"], reply["sender"], reply["recipients"]) == ("reply", PARTNER, [EMAIL])
        (got,) = shares.ok("GET", "inbox")
        assert (got["id"], got["is_reply"], got["sender_name"]) == (reply["id"], True, "partner")
        (mine,) = shares.visit("GET", "inbox", token).json()
        assert (mine["id"], mine["replied"], mine["file_request"]) == (share_id, True, True)
        assert [(mail["kind"], mail["to"]) for mail in emulator.mails] == [("request", PARTNER), ("reply", EMAIL)]
        entries = [(entry["event"], entry["action"], entry["email"]) for entry in shares.ok("GET", "tracking/activity")]
        assert entries[:4] == [
            ("files-return", "replied", PARTNER),
            ("files-return", "upload", PARTNER),
            ("files-return", "upload", PARTNER),
            ("files-return", "makedir", PARTNER),
        ]
        assert emulator.counters["shares"] == 1

    def test_for_a_share(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id, token = shares.share(return_files=True, subject="Prices"), emulator.recipient_session(PARTNER)
        file_id = self.upload(shares, share_id, token, "answer.csv")
        assert emulator.read_file(EMAIL, "Inbox/answer.csv") == b"12345"
        sent = shares.visit("POST", "files-return/send", token, {"id": share_id, "files": [file_id]})
        assert sent.status_code == 201
        assert emulator.shares[-1]["subject"] == "Re: Prices"

    def test_a_share_that_takes_none(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id, token = shares.share(), emulator.recipient_session(PARTNER)
        for method, path, body in [
            ("GET", f"files-return/metadata/{share_id}", None),
            ("POST", f"files-return/upload-link/{share_id}", {"name": "a"}),
            ("POST", f"files-return/makedir/{share_id}", {"name": "a"}),
            ("POST", "files-return/send", {"id": share_id, "files": [NO_ID]}),
        ]:
            answer = shares.visit(method, path, token, body)
            assert (answer.status_code, answer.json()["code"]) == (403, 50)

    @pytest.mark.parametrize("kind", ["share", "request"])
    def test_strangers(self, shares: ShareCalls, emulator: EmulatorClient, kind: str) -> None:
        def made(request_auth: bool) -> str:
            if kind == "request":
                return self.ask(shares, request_auth=request_auth)
            return shares.share(share_type="P", return_files=True, request_auth=request_auth)

        closed, open_to_all = made(request_auth=True), made(request_auth=False)
        assert shares.visit("GET", f"files-return/metadata/{closed}").status_code == 401
        assert shares.visit("POST", f"files-return/upload-link/{closed}", body={"name": "a"}).status_code == 401
        assert shares.visit("GET", f"files-return/metadata/{open_to_all}").json()["user_email"] is None
        file_id = self.upload(shares, open_to_all, None, "a")
        sent = shares.visit("POST", "files-return/send", body={"id": open_to_all, "files": [file_id]})
        assert sent.status_code == 201
        assert emulator.mails[-1]["sender"] == ""
        assert shares.ok("GET", "tracking/activity")[0]["email"] is None

    def test_pin(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id, token = shares.share(return_files=True, pin=base64_of("42")), emulator.recipient_session(PARTNER)
        path = f"files-return/upload-link/{share_id}"
        assert shares.visit("GET", f"files-return/metadata/{share_id}", token).status_code == 200
        assert shares.visit("POST", path, token, {"name": "a"}).json()["code"] == 73
        shares.visit("POST", "share/login-pin", token, {"id": share_id, "pin": base64_of("42")})
        assert shares.visit("POST", path, token, {"name": "a"}).status_code == 200

    def test_parents(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id, other, token = self.ask(shares), self.ask(shares), emulator.recipient_session(PARTNER)
        foreign = shares.visit("POST", f"files-return/makedir/{other}", token, {"name": "x"}).json()["id"]
        for parent_id in (foreign, shares.home, NO_ID):
            for call in ("upload-link", "makedir"):
                body = {"name": "a", "parent_id": parent_id}
                answer = shares.visit("POST", f"files-return/{call}/{share_id}", token, body)
                assert (answer.status_code, answer.json()["code"]) == (404, 20)
        body = {"name": "a", "parent_id": shares.folder}
        assert shares.visit("POST", f"files-return/makedir/{share_id}", token, body).status_code == 201

    def test_the_folder_is_gone(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id, token = self.ask(shares), emulator.recipient_session(PARTNER)
        shares.ok("POST", "file/delete", {"ids": [shares.folder]})
        assert shares.visit("GET", f"files-return/metadata/{share_id}", token).status_code == 404
        assert shares.visit("POST", f"files-return/upload-link/{share_id}", token, {"name": "a"}).status_code == 404

    def test_bad_replies(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id, token = self.ask(shares), emulator.recipient_session(PARTNER)
        begun = shares.visit("POST", f"files-return/upload-link/{share_id}", token, {"name": "a"}).json()["file_id"]
        done = self.upload(shares, share_id, token, "b")
        for body, refusal in [
            ({"files": [done]}, (400, 11)),
            ({"id": share_id}, (400, 11)),
            ({"id": share_id, "files": []}, (400, 10)),
            ({"id": share_id, "files": [done, begun]}, (400, 10)),
            ({"id": share_id, "files": [done, shares.one]}, (404, 20)),
            ({"id": NO_ID, "files": [done]}, (404, 20)),
            ({"id": share_id, "files": [done], "message": "x" * 10_001}, (400, 10)),
        ]:
            answer = shares.visit("POST", "files-return/send", token, body)
            assert (answer.status_code, answer.json()["code"]) == refusal
        for body in ({}, {"name": 5}, {"name": "a/b"}, {"name": "a", "file_size": -1}):
            assert shares.visit("POST", f"files-return/upload-link/{share_id}", token, body).status_code == 400
        emulator.configure(max_files_per_share=1)
        more = self.upload(shares, share_id, token, "c")
        answer = shares.visit("POST", "files-return/send", token, {"id": share_id, "files": [done, more]})
        assert (answer.status_code, answer.json()["code"]) == (400, 50)
        assert shares.shared(share_id)["replied"] == []

    def test_once(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        emulator.configure(request_once=True)
        share_id = self.ask(shares)
        emulator.return_files(share_id, {"a": b"1"}, PARTNER)
        assert shares.shared(share_id)["status"] == "D"
        with pytest.raises(EmulatorControlError, match="revoked"):
            emulator.return_files(share_id, {"a": b"1"}, PARTNER)

    def test_as_a_job(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        emulator.configure(return_as_job=True)
        share_id, token = self.ask(shares), emulator.recipient_session(PARTNER)
        file_id = self.upload(shares, share_id, token, "a")
        sent = shares.visit("POST", "files-return/send", token, {"id": share_id, "files": [file_id]})
        assert (sent.status_code, sent.json()) == (202, {"job_id": emulator.jobs[-1]["job_id"]})
        assert shares.shared(share_id)["replied"] == [PARTNER]

    def test_unsent_files_can_be_hidden(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        emulator.configure(hide_unsent_files=True)
        share_id, token = self.ask(shares), emulator.recipient_session(PARTNER)
        file_id = self.upload(shares, share_id, token, "a")
        assert shares.names("out") == ["1.csv", "2.csv"]
        shares.visit("POST", "files-return/send", token, {"id": share_id, "files": [file_id]})
        assert shares.names("out") == ["1.csv", "2.csv", "a"]

    def test_a_key_for_a_share_is_enough(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        own = shares.link("own")["upload_key"]
        assert shares.visit("GET", f"upload/finalize/{own}").status_code == 401
        share_id, token = self.ask(shares), emulator.recipient_session(PARTNER)
        key = shares.visit("POST", f"files-return/upload-link/{share_id}", token, {"name": "a"}).json()["upload_key"]
        form = shares.visit("POST", f"/upload/multipart/{key}", files={"file": b"12"})
        assert form.status_code == 200
        assert emulator.read_file(EMAIL, "out/a") == b"12"
        assert shares.ok("GET", "tracking/activity")[0]["event"] == "files-return"


class TestControls:
    def test_return_files(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = str(shares.ok("POST", "share/request", {"ids": [shares.contact], "folder_id": shares.folder})["id"])
        before = emulator.requests
        files = {"a.csv": b"1", "may/b.csv": b"22", "may/late/c.csv": b""}
        ids = emulator.return_files(share_id, files, PARTNER, message="Here")
        assert len(set(ids)) == 3
        assert emulator.read_file(EMAIL, "out/may/b.csv") == b"22"
        assert emulator.read_file(EMAIL, "out/may/late/c.csv") == b""
        assert [file["name"] for file in emulator.shares[-1]["files"]] == ["a.csv", "b.csv", "c.csv"]
        assert emulator.requests == before
        assert emulator.counters["upload_bytes"] == 0

    def test_the_rules_hold(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(share_type="C", return_files=True, pin=base64_of("42"))
        for arguments, words in [
            ((share_id, {"a": b""}), "400 Not authorized"),
            ((share_id, {"a": b""}, PARTNER), "400 PIN required"),
            ((share_id, {"a\\": b""}, PARTNER, "42"), "400 Parameter 'name'"),
            ((share_id, {}, PARTNER, "42"), "400 files"),
            ((shares.share(), {"a": b""}, PARTNER), "400 The share takes no files"),
            ((NO_ID, {"a": b""}), "404 No such share"),
        ]:
            with pytest.raises(EmulatorControlError, match=words):
                emulator.return_files(*arguments)
        assert emulator.return_files(share_id, {"a": b"1"}, PARTNER, "42")

    def test_a_plain_upload_is_not_a_reply(self, files: FileCalls) -> None:
        files.upload("a", b"1")
        assert files.ok("GET", "tracking/activity")[0]["event"] == "file"
