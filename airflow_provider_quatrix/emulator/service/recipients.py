"""Acts as recipients do, without HTTP: for tests and the page."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .accounts import User, UserSpec
from .errors import UnknownObjectError
from .parties import Visitor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .accounts import Accounts
    from .returns import Returns
    from .sessions import Session, Sessions
    from .share_access import ShareAccess
    from .share_downloads import ShareDownloads
    from .shares import Share, Shares
    from .tree import Node
    from .uploads import Uploads

ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class Person:
    """The person who acts.

    :param email: None for a stranger.
    :param pin: None for none.
    """

    email: str | None = None
    pin: str | None = field(default=None, repr=False)


class Recipients:
    """Lets somebody act as the person with an e-mail address."""

    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        shares: Shares,
        access: ShareAccess,
        *,
        downloads: ShareDownloads,
        returns: Returns,
        uploads: Uploads,
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._shares = shares
        self._access = access
        self._downloads = downloads
        self._returns = returns
        self._uploads = uploads

    def user(self, email: str) -> User:
        """Find a person, who becomes a user without an account of their own as soon as they act.

        :param email: in any case; any address, as everybody may register.
        :raises ValueError: when it is not an address.
        """
        return self._accounts.find(email) or self._accounts.add_user(UserSpec(email, uuid.uuid4().hex, is_contact=True))

    def session(self, email: str) -> Session:
        """Open a session of a person, without a login that counts.

        :raises ValueError: when it is not an address.
        """
        return self._sessions.open(self.user(email), "ready")

    def enter(self, share_id: str, person: Person) -> tuple[Share, Visitor]:
        """Open a share.

        :raises UnknownObjectError: when there is no such share.
        :raises ApiError: when the person may not open it, or it is closed.
        """
        share = next((share for share in self._shares.all() if share.id == share_id), None)
        if share is None:
            raise UnknownObjectError("No such share")
        user = None if person.email is None else self.user(person.email)
        visitor = Visitor(user, None if user is None else str(uuid.uuid4()), ADDRESS)
        if person.pin is not None:
            token = self._access.login_pin(share, visitor, person.pin)
            visitor = Visitor(user, token or visitor.token, ADDRESS)
        self._access.check(share, visitor)
        return share, visitor

    def download(self, share_id: str, person: Person, names: Sequence[str]) -> list[str]:
        """Download files of a share, all in one; it counts as if the bytes had been moved.

        :param names: of the files; all when there is none.
        :return: the names of what was downloaded.
        :raises UnknownObjectError: when there is no such share or file.
        :raises ApiError: when the person may not open the share, or it is closed.
        """
        share, visitor = self.enter(share_id, person)
        files = {file.name: file for file in self._downloads.files(share)}
        if unknown := set(names).difference(files):
            raise UnknownObjectError(f"No shared file {min(unknown)}")
        chosen = [files[name] for name in names] or list(files.values())
        link = self._downloads.use(self._downloads.add(share, chosen, visitor))
        self._downloads.record(link, ADDRESS, link.created)
        return [file.name for file in chosen]

    def return_files(self, share_id: str, person: Person, files: Mapping[str, bytes], message: str) -> list[str]:
        """Return files to the sender of a share or a file request, all in one reply.

        :param files: contents by path; missing folders are made.
        :return: the ids of the files.
        :raises UnknownObjectError: when there is no such share.
        :raises ApiError: when the person may not return files, or the share is closed.
        """
        share, visitor = self.enter(share_id, person)
        self._returns.share(share_id, visitor)
        folders: dict[str, str] = {"": ""}
        nodes: list[Node] = []
        for path, data in files.items():
            above, _, name = path.rpartition("/")
            for parent in self._folders(above):
                if parent not in folders:
                    beyond, _, folder_name = parent.rpartition("/")
                    made = self._returns.make_folder(share, folder_name, folders[beyond], visitor)
                    folders[parent] = made.id
            nodes.append(self._upload(share, visitor, name, folders[above], data))
        self._returns.send(share, self._returns.checked_files(share, [node.id for node in nodes]), message, visitor)
        return [node.id for node in nodes]

    @staticmethod
    def _folders(path: str) -> list[str]:
        names = path.split("/") if path else []
        return ["/".join(names[: number + 1]) for number in range(len(names))]

    def _upload(self, share: Share, visitor: Visitor, name: str, parent_id: str, data: bytes) -> Node:
        upload = self._returns.begin_upload(share, name, parent_id, len(data))
        with self._uploads.open(upload) as writer:
            self._uploads.write(upload, writer, data, 0)
        self._uploads.finalize(upload, None)
        self._returns.log_upload(upload, visitor.actor)
        return upload.node
