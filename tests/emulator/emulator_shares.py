"""The calls of shares of the emulator, as a sender and as recipients make them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from emulator_api import EMAIL
from emulator_files import FileCalls

if TYPE_CHECKING:
    import requests

    from airflow_provider_quatrix.emulator.client import EmulatorClient

PARTNER = "partner@example.org"


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class ShareCalls(FileCalls):
    """A sender with a contact and two files in a folder."""

    def __init__(self, emulator: EmulatorClient, email: str = EMAIL, key: str = "share-key") -> None:
        super().__init__(emulator, email, key)
        self.contact = emulator.add_contact(email, PARTNER, "Partner")
        self.one, self.two = emulator.put_files(
            email, [{"path": "out/1.csv", "size": 10}, {"path": "out/2.csv", "size": 20}]
        )
        self.folder = self.id_of("out")

    def body(self, **members: Any) -> dict[str, Any]:
        return {"folder_id": self.folder, "files": [self.one, self.two], "contacts": [self.contact]} | members

    def share(self, **members: Any) -> str:
        return str(self.ok("POST", "share/create", self.body(**members), 201)["id"])

    def shared(self, share_id: str) -> dict[str, Any]:
        return next(share for share in self.emulator.shares if share["id"] == share_id)

    def downloads(self, share_id: str) -> dict[str, list[dict[str, Any]]]:
        return {file["name"]: file["downloads"] for file in self.shared(share_id)["files"]}

    def visit(
        self, method: str, path: str, token: str | None = None, body: Any = None, **kwargs: Any
    ) -> requests.Response:
        """Make a call as somebody else: with a token, or as a stranger without one."""
        headers = dict(kwargs.pop("headers", {})) | ({} if token is None else {"X-Auth-Token": token})
        return self.call(method, path, body, headers={"Authorization": None, **headers}, **kwargs)
