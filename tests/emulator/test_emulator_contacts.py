from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from emulator_api import EMAIL
from emulator_files import NO_ID, FileCalls

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient


@pytest.fixture
def other(emulator: EmulatorClient) -> FileCalls:
    emulator.add_user("other@example.com", "pw")
    return FileCalls(emulator, "other@example.com", "other-key")


def create(files: FileCalls, email: str = "ann@example.org", **members: Any) -> dict[str, Any]:
    return dict(files.ok("POST", "contact/create", {"email": email, "name": "Ann", **members}, 201))


class TestContacts:
    def test_all_members(self, files: FileCalls, emulator: EmulatorClient) -> None:
        contact = create(files)
        assert contact | {"id": "", "created": 0} == {
            "id": "",
            "name": "Ann",
            "email": "ann@example.org",
            "type": "S",
            "status": "A",
            "created": 0,
            "owner_id": emulator.users[EMAIL]["id"],
            "readonly": False,
            "has_key": False,
            "groups": [],
        }
        assert type(contact["created"]) is int
        assert files.ok("GET", f"contact/metadata/{contact['id']}") == contact
        assert files.ok("GET", "contact") == [contact]

    def test_site_and_personal(self, files: FileCalls, other: FileCalls) -> None:
        site, personal = create(files), create(files, "bob@example.org", personal=True)
        assert personal["type"] == "P"
        assert [(contact["id"], contact["readonly"]) for contact in other.ok("GET", "contact")] == [(site["id"], True)]
        assert other.refused("GET", f"contact/metadata/{personal['id']}") == (404, 20)
        assert other.refused("POST", f"contact/edit/{site['id']}", {"name": "X"}) == (403, 50)
        assert other.refused("POST", "contact/delete", {"ids": [site["id"]]}) == (403, 50)
        assert create(other, "bob@example.org", personal=True)["id"] != personal["id"]

    def test_edit(self, files: FileCalls) -> None:
        contact = create(files)
        edited = files.ok("POST", f"contact/edit/{contact['id']}", {"name": "Ann B."})
        assert edited == contact | {"name": "Ann B."}
        assert (
            files.ok("POST", f"contact/edit/{contact['id']}", {"email": "ANN@example.org"})["email"]
            == "ANN@example.org"
        )
        create(files, "bob@example.org")
        assert files.refused("POST", f"contact/edit/{contact['id']}", {"email": "Bob@example.org"}) == (400, 32)
        assert files.refused("POST", f"contact/edit/{NO_ID}", {"name": "X"}) == (404, 20)

    def test_delete_answers_with_a_list(self, files: FileCalls) -> None:
        contact = create(files)
        assert files.ok("POST", "contact/delete", {"ids": [contact["id"], NO_ID]}) == [{"id": contact["id"]}]
        assert files.refused("POST", "contact/delete", {"ids": [contact["id"]]}) == (404, 20)
        assert files.refused("POST", "contact/delete", {"ids": []}) == (400, 10)
        assert files.ok("GET", "contact") == []

    @pytest.mark.parametrize("email", ["ann@example.org", "ANN@example.org", EMAIL])
    def test_an_address_is_taken(self, files: FileCalls, email: str) -> None:
        create(files)
        answer = files.call("POST", "contact/create", {"email": email, "name": "x"})
        assert (answer.status_code, answer.json()) == (400, {"code": 32, "msg": "Email is already taken"})

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"name": "x"}, 11),
            ({"email": "a@b.example"}, 11),
            ({"email": 5, "name": "x"}, 10),
            ({"email": "a@b", "name": "x"}, 10),
            ({"email": "no address", "name": "x"}, 10),
            ({"email": "two words@example.org", "name": "x"}, 10),
            ({"email": "a" * 250 + "@b.example", "name": "x"}, 10),
            ({"email": "a@b.example", "name": "x" * 512}, 10),
            ({"email": "a@b.example", "name": "\ud800"}, 10),
            ({"email": "a@b.example", "name": "x", "personal": "yes"}, 10),
            ({"email": "a@b.example", "name": "x", "groups": [NO_ID]}, 10),
        ],
    )
    def test_bad_contacts(self, files: FileCalls, body: dict[str, Any], code: int) -> None:
        assert files.refused("POST", "contact/create", body) == (400, code)
        assert files.ok("GET", "contact") == []

    def test_a_name_may_be_missing(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.configure(contact_name_optional=True)
        assert files.ok("POST", "contact/create", {"email": "a@b.example"}, 201)["name"] == ""

    def test_groups(self, files: FileCalls, emulator: EmulatorClient) -> None:
        assert files.ok("GET", "contact/group") == []
        emulator.configure(contact_groups=["Banks"])
        (group,) = files.ok("GET", "contact/group")
        assert group == {"id": group["id"], "name": "Banks", "global": True, "readonly": True}
        assert create(files, groups=[group["id"]])["groups"] == [{"id": group["id"], "name": "Banks", "metadata": None}]

    def test_users_without_an_account_are_contacts(self, files: FileCalls, emulator: EmulatorClient) -> None:
        emulator.add_user("guest@example.org", "pw", is_contact=True, name="Guest")
        (contact,) = files.ok("GET", "contact")
        assert (contact["email"], contact["readonly"]) == ("guest@example.org", True)
        assert files.refused("POST", "contact/delete", {"ids": [contact["id"]]}) == (403, 50)
        assert files.refused("POST", "contact/create", {"email": "guest@example.org", "name": "x"}) == (400, 32)

    def test_a_reset_forgets_them(self, files: FileCalls, emulator: EmulatorClient) -> None:
        create(files)
        emulator.reset()
        assert FileCalls(emulator).ok("GET", "contact") == []

    def test_they_need_credentials(self, files: FileCalls) -> None:
        for method, path in [("GET", "contact"), ("GET", "contact/group"), ("POST", "contact/create")]:
            assert files.refused(method, path, {}, headers={"Authorization": None}) == (401, 70)


class TestRecipients:
    def test_users_and_contacts(self, files: FileCalls, other: FileCalls, emulator: EmulatorClient) -> None:
        contact, personal = create(files), create(other, "zoe@example.org", personal=True)
        found = files.ok("GET", "share/recipients")
        assert [party["email"] for party in found] == ["ann@example.org", "other@example.com", EMAIL]
        assert found[0] == {"id": contact["id"], "name": "Ann", "email": "ann@example.org", "has_key": False}
        assert personal["id"] in {party["id"] for party in other.ok("GET", "share/recipients")}

    def test_the_beginning_of_the_address(self, files: FileCalls, emulator: EmulatorClient) -> None:
        create(files)
        assert [party["email"] for party in files.ok("GET", "share/recipients?email=AN")] == ["ann@example.org"]
        assert files.ok("GET", "share/recipients?email=nn") == []
        emulator.configure(recipients_as_object=True)
        assert files.ok("GET", "share/recipients?email=ann")["email"] == "ann@example.org"
        assert files.ok("GET", "share/recipients?email=nn") == {}

    def test_one_entry_for_each_address(self, files: FileCalls, emulator: EmulatorClient) -> None:
        create(files)
        emulator.recipient_session("ann@example.org")
        assert [party["email"] for party in files.ok("GET", "share/recipients")] == ["ann@example.org", EMAIL]
        assert len(files.ok("GET", "contact")) == 1
