from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from emulator_api import EMAIL
from emulator_files import NO_ID, FileCalls
from emulator_shares import PARTNER, ShareCalls, base64_of

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient


@pytest.fixture
def shares(emulator: EmulatorClient) -> ShareCalls:
    return ShareCalls(emulator)


@pytest.fixture
def other(emulator: EmulatorClient) -> FileCalls:
    emulator.add_user("other@example.com", "pw")
    return FileCalls(emulator, "other@example.com", "other-key")


class TestFilesAndDownloads:
    def test_who_downloaded_what(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share()
        files = shares.ok("GET", f"tracking/files/{share_id}")
        assert [(file["name"], file["size"], file["type"], file["downloads"]) for file in files] == [
            ("1.csv", 10, "F", 0),
            ("2.csv", 20, "F", 0),
        ]
        assert set(files[0]) == {"id", "name", "size", "type", "downloads"}
        emulator.download_share(share_id, PARTNER)
        emulator.advance(100)
        emulator.download_share(share_id, "late@example.org", files=["2.csv"])
        assert [file["downloads"] for file in shares.ok("GET", f"tracking/files/{share_id}")] == [1, 2]
        first, second = shares.ok("GET", f"tracking/downloads/{files[1]['id']}")
        assert first | {"time": 0, "duration": 0} == {
            "ip": "127.0.0.1",
            "name": "2.csv",
            "size": 20,
            "duration": 0,
            "time": 0,
            "recipient": PARTNER,
        }
        assert second["recipient"] == "late@example.org"
        assert second["time"] - first["time"] >= 100
        assert emulator.calls("GET", "tracking/files/{id}") == 2

    def test_public_downloads_have_no_recipient(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(share_type="P")
        emulator.download_share(share_id)
        file_id = shares.ok("GET", f"tracking/files/{share_id}")[0]["id"]
        assert [download["recipient"] for download in shares.ok("GET", f"tracking/downloads/{file_id}")] == [None]

    def test_what_is_gone_stays(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share()
        emulator.download_share(share_id, PARTNER)
        emulator.remove_file(EMAIL, "out/1.csv")
        shares.ok("GET", f"share/revoke/{share_id}")
        files = shares.ok("GET", f"tracking/files/{share_id}")
        assert [(file["name"], file["size"], file["downloads"]) for file in files] == [
            ("1.csv", 10, 1),
            ("2.csv", 20, 1),
        ]

    def test_only_the_sender(self, shares: ShareCalls, other: FileCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share()
        file_id = shares.ok("GET", f"tracking/files/{share_id}")[0]["id"]
        for path in (f"tracking/files/{share_id}", f"tracking/downloads/{file_id}"):
            assert other.refused("GET", path) == (403, 50)
            assert shares.visit("GET", path).status_code == 401
        emulator.configure(tracking_scope="account")
        assert len(other.ok("GET", f"tracking/files/{share_id}")) == 2
        assert other.ok("GET", f"tracking/downloads/{file_id}") == []
        for path in ("tracking/files/", "tracking/downloads/"):
            assert shares.refused("GET", path + NO_ID) == (404, 20)


class TestShares:
    def test_all_members(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(subject="Prices", expires=4_000_000_000, return_files=True)
        (share,) = shares.ok("GET", "tracking/")
        user_id = emulator.users[EMAIL]["id"]
        assert share | {"created": 0, "release_date": 0} == {
            "id": share_id,
            "subject": "Prices",
            "type": "T",
            "is_reply": False,
            "release_date": 0,
            "expire_date": 4_000_000_000,
            "created": 0,
            "status": "A",
            "email": EMAIL,
            "emails": [PARTNER],
            "owner_id": user_id,
            "is_request": False,
            "can_reply": True,
            "folder": shares.folder,
        }
        (again,) = shares.ok("GET", f"tracking/{user_id}")
        assert again == {name: share[name] for name in share if name not in ("is_request", "can_reply", "folder")}
        assert emulator.calls("GET", "tracking") == 1

    def test_whose(self, shares: ShareCalls, other: FileCalls, emulator: EmulatorClient) -> None:
        first, second = shares.share(), shares.share()
        user_id = emulator.users[EMAIL]["id"]
        assert [share["id"] for share in shares.ok("GET", "tracking")] == [second, first]
        assert other.ok("GET", "tracking") == []
        assert other.refused("GET", f"tracking/{user_id}") == (403, 50)
        assert shares.refused("GET", f"tracking/{NO_ID}") == (404, 20)
        emulator.configure(tracking_scope="account")
        assert len(other.ok("GET", "tracking")) == len(other.ok("GET", f"tracking/{user_id}")) == 2
        assert other.ok("GET", f"tracking/{emulator.users['other@example.com']['id']}") == []

    def test_dates(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        old = shares.share()
        emulator.advance(2 * 86400)
        new, now = shares.share(), emulator.state()["clock"]["now"]
        assert [share["id"] for share in shares.ok("GET", f"tracking/?date={now - 3600}")] == [new]
        assert [share["id"] for share in shares.ok("GET", "tracking/?date=0")] == [new, old]
        emulator.configure(tracking_date="day")
        assert [share["id"] for share in shares.ok("GET", f"tracking/?date={now - 2 * 86400}")] == [old]
        assert shares.refused("GET", "tracking/?date=today") == (400, 10)


class TestActivity:
    def entries(self, files: FileCalls, **query: Any) -> list[dict[str, Any]]:
        return list(files.ok("GET", "tracking/activity", params=query))

    def test_what_is_done_to_files(self, files: FileCalls) -> None:
        folder = files.make_folder("f")
        node = files.upload("a.txt", b"12345", folder)
        files.download(node)
        files.ok("POST", f"file/rename/{node}", {"name": "b.txt"})
        files.ok("POST", "file/moveone", {"file_id": node, "target_id": files.home, "name": "c.txt"})
        files.ok("POST", "file/copyone", {"file_id": node, "target_id": files.home, "name": "d.txt"})
        files.ok("POST", "file/move", {"ids": [node], "target": folder})
        files.ok("POST", "file/delete", {"ids": [node]})
        files.ok("POST", "file/empty-trash")
        entries = self.entries(files)[::-1]
        actions = ["makedir", "upload", "download", "move-rename", "move-rename", "move-rename", "delete", "delete"]
        assert [entry["action"] for entry in entries] == actions
        assert {(entry["event"], entry["protocol"], entry["share_status"]) for entry in entries} == {
            ("file", "web", None)
        }
        upload = entries[1]
        assert upload | {"id": "", "timestamp": 0, "duration": 0} == {
            "id": "",
            "email": EMAIL,
            "user_name": "robot",
            "user_status": "A",
            "timestamp": 0,
            "protocol": "web",
            "event": "file",
            "action": "upload",
            "share_status": None,
            "payload": {"files": [{"id": node, "name": "a.txt", "path": "/f/a.txt", "type": "F"}]},
            "duration": 0,
        }
        assert type(upload["timestamp"]) is int
        assert entries[6]["payload"]["files"][0]["path"] == "/f/c.txt"

    def test_what_fails_is_not_in_it(self, files: FileCalls, emulator: EmulatorClient) -> None:
        files.refused("POST", "file/rename/" + NO_ID, {"name": "b"})
        files.refused("POST", "file/makedir", {"name": "a/b"})
        node = emulator.put_file(EMAIL, "a", size=10)
        files.download(node, Range="bytes=5-")
        assert self.entries(files) == []

    def test_jobs_and_forms(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(job_seconds=0)
        node = emulator.put_file(EMAIL, "a", b"1")
        files.ok("POST", "file/copy", {"ids": [node], "target": files.home}, 202)
        assert {file["path"] for file in emulator.files(EMAIL)} == {"/a", "/a(1)"}
        key = files.link("b")["upload_key"]
        files.call("POST", f"/upload/multipart/{key}", files={"file": b"12"})
        assert [entry["action"] for entry in self.entries(files)] == ["upload"]
        rows = list(csv.DictReader(io.StringIO(files.call("GET", "tracking/csv").text)))
        assert [row["Action"] for row in rows] == ["upload", "copy"]

    def test_what_is_done_to_shares(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(subject="Prices", send_email=True)
        emulator.download_share(share_id, PARTNER, files=["1.csv"])
        shares.ok("GET", f"share/revoke/{share_id}")
        shares.ok("GET", f"share/revoke/{share_id}")
        other = shares.share(share_type="P")
        emulator.download_share(other)
        entries = self.entries(shares)[::-1]
        assert [(entry["event"], entry["action"], entry["email"], entry["share_status"]) for entry in entries] == [
            ("share", "create", EMAIL, "D"),
            ("share", "sent-email", EMAIL, "D"),
            ("share", "download", PARTNER, "D"),
            ("share", "revoke", EMAIL, "D"),
            ("share", "create", EMAIL, "A"),
            ("share", "created-link", EMAIL, "A"),
            ("share", "download", None, "A"),
        ]
        payload = entries[0]["payload"]
        assert (payload["share_id"], payload["subject"], payload["recipients"]) == (share_id, "Prices", [PARTNER])
        assert [file["path"] for file in payload["files"]] == ["/out/1.csv", "/out/2.csv"]
        assert [file["name"] for file in entries[2]["payload"]["files"]] == ["1.csv"]

    def test_pages(self, files: FileCalls, emulator: EmulatorClient) -> None:
        for number in range(5):
            files.make_folder(str(number))
        names = {entry["id"]: entry["payload"]["files"][0]["name"] for entry in self.entries(files)}
        assert list(names.values()) == ["4", "3", "2", "1", "0"]
        ids = list(names)
        assert [entry["id"] for entry in self.entries(files, limit=2)] == ids[:2]
        assert [entry["id"] for entry in self.entries(files, limit=2, id=ids[1])] == ids[2:4]
        assert self.entries(files, id=ids[4]) == []
        emulator.configure(paging_repeats_id=True)
        assert [entry["id"] for entry in self.entries(files, limit=2, id=ids[1])] == ids[1:3]
        emulator.configure(paging_repeats_id=False, paging_order="oldest")
        assert [entry["id"] for entry in self.entries(files)] == ids[::-1]
        assert [entry["id"] for entry in self.entries(files, limit=2, id=ids[3])] == [ids[2], ids[1]]
        assert files.refused("GET", f"tracking/activity?id={NO_ID}") == (404, 20)

    def test_where_an_id_may_lead_to_instead(self, files: FileCalls, emulator: EmulatorClient) -> None:
        for number in range(4):
            files.make_folder(str(number))
        ids = [entry["id"] for entry in self.entries(files)]
        emulator.configure(paging_id="before")
        assert [entry["id"] for entry in self.entries(files, limit=2, id=ids[3])] == ids[:2]
        assert self.entries(files, id=ids[0]) == []
        emulator.configure(paging_repeats_id=True)
        assert [entry["id"] for entry in self.entries(files, id=ids[1])] == ids[:2]
        emulator.configure(paging_id="alone")
        assert [entry["id"] for entry in self.entries(files, id=ids[1])] == ids[1:2]

    def test_pages_may_be_shorter_than_asked_for(self, files: FileCalls, emulator: EmulatorClient) -> None:
        for number in range(4):
            files.make_folder(str(number))
        emulator.configure(paging_most=3)
        assert [len(self.entries(files, limit=limit)) for limit in (1, 3, 4, 1000)] == [1, 3, 3, 3]
        assert len(files.call("GET", "tracking/csv").text.splitlines()) == 5

    def test_the_usual_limit(self, files: FileCalls) -> None:
        for number in range(101):
            files.make_folder(str(number))
        assert len(self.entries(files)) == 100
        assert len(self.entries(files, limit=1000)) == 101

    def test_periods(self, files: FileCalls, emulator: EmulatorClient) -> None:
        files.make_folder("a")
        emulator.advance(1000)
        files.make_folder("b")
        new, old = self.entries(files)
        assert self.entries(files, **{"from": old["timestamp"] + 1}) == [new]
        assert self.entries(files, **{"from": old["timestamp"], "to": old["timestamp"]}) == [old]
        assert self.entries(files, to=new["timestamp"] - 0.5) == [old]
        emulator.configure(paging_includes_end=False)
        assert self.entries(files, to=new["timestamp"]) == [old]

    def test_whose(self, files: FileCalls, other: FileCalls, emulator: EmulatorClient) -> None:
        files.make_folder("a")
        other.make_folder("b")
        ids = {email: user["id"] for email, user in emulator.users.items()}
        assert [entry["email"] for entry in self.entries(files)] == [EMAIL]
        assert files.refused("GET", f"tracking/activity?user_id={ids['other@example.com']}") == (403, 50)
        assert files.refused("GET", f"tracking/activity?user_id={NO_ID}") == (404, 20)
        emulator.configure(tracking_scope="account")
        assert [entry["email"] for entry in self.entries(files)] == ["other@example.com", EMAIL]
        assert [entry["email"] for entry in self.entries(files, user_id=ids[EMAIL])] == [EMAIL]

    @pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=1.5", "from=x", "to=x", "to=1e300"])
    def test_bad_queries(self, files: FileCalls, query: str) -> None:
        assert files.refused("GET", f"tracking/activity?{query}") == (400, 10)

    def test_it_needs_credentials(self, files: FileCalls) -> None:
        for path in ("tracking/activity", "tracking/csv", "tracking", "inbox"):
            assert files.refused("GET", path, headers={"Authorization": None}) == (401, 70)

    def test_a_reset_forgets_it(self, files: FileCalls, emulator: EmulatorClient) -> None:
        files.make_folder("a")
        emulator.reset()
        assert self.entries(FileCalls(emulator)) == []


class TestCsv:
    def test_all_columns(self, files: FileCalls, emulator: EmulatorClient) -> None:
        node = files.make_folder('a,"b"')
        files.ok("POST", f"file/rename/{node}", {"name": "ü"})
        answer = files.call("GET", "tracking/csv")
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        rows = list(csv.reader(io.StringIO(answer.content.decode())))
        assert ",".join(rows[0]) == "Time,Event,Action,Client IPs,User name,Email,User status,Protocol,Payload"
        assert [row[1:8] for row in rows[1:]] == [
            ["file", "rename", "127.0.0.1", "robot", EMAIL, "A", "web"],
            ["file", "makedir", "127.0.0.1", "robot", EMAIL, "A", "web"],
        ]
        assert json.loads(rows[2][8])["files"][0]["name"] == 'a,"b"'
        emulator.configure(paging_order="oldest")
        assert files.call("GET", "tracking/csv").text.splitlines()[1].split(",")[2] == "makedir"

    def test_periods(self, files: FileCalls, emulator: EmulatorClient) -> None:
        files.make_folder("a")
        now = int(emulator.state()["clock"]["now"])
        assert len(files.call("GET", f"tracking/csv?from={now - 60}&to={now + 60}").text.splitlines()) == 2
        assert len(files.call("GET", f"tracking/csv?to={now - 60}").text.splitlines()) == 1


class TestInbox:
    def inbox(self, shares: ShareCalls, token: str, query: str = "") -> list[dict[str, Any]]:
        return list(shares.visit("GET", "inbox" + query, token).json())

    def test_all_members(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        share_id = shares.share(subject="Prices", expires=4_000_000_000, pin=base64_of("1"), share_type="C")
        token = emulator.recipient_session(PARTNER)
        (share,) = self.inbox(shares, token)
        assert share | {"activates": 0} == {
            "id": share_id,
            "sender_name": "robot",
            "activates": 0,
            "expires": 4_000_000_000,
            "is_reply": False,
            "replied": False,
            "subject": "Prices",
            "type": "C",
            "file_request": False,
            "protected": True,
        }
        assert shares.ok("GET", "inbox") == []

    def test_what_it_leaves_out(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        token = emulator.recipient_session(PARTNER)
        shares.ok("GET", f"share/revoke/{shares.share()}")
        later = shares.share(activates=emulator.state()["clock"]["now"] + 3600)
        assert self.inbox(shares, token) == []
        emulator.advance(3600)
        emulator.expire_sessions()
        token = emulator.recipient_session(PARTNER)
        assert [share["id"] for share in self.inbox(shares, token)] == [later]

    def test_pages(self, shares: ShareCalls, emulator: EmulatorClient) -> None:
        ids = [shares.share() for _ in range(3)][::-1]
        token = emulator.recipient_session(PARTNER)
        assert [share["id"] for share in self.inbox(shares, token)] == ids
        assert [share["id"] for share in self.inbox(shares, token, f"?limit=1&id={ids[0]}")] == ids[1:2]
        emulator.configure(paging_order="oldest")
        assert [share["id"] for share in self.inbox(shares, token, f"?id={ids[1]}")] == ids[:1]
