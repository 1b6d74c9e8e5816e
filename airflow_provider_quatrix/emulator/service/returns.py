"""Files that recipients send back to the sender of a share or a file request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .activity import files_payload
from .errors import RESTRICTED, ApiError, bad_parameter, not_found
from .files import Resolve
from .mails import Mail
from .parties import Party, party_of
from .shares import LONGEST_MESSAGE, Share, SharedFile
from .texts import checked_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .activity import Activity
    from .context import Context
    from .files import Files
    from .mails import Mails
    from .parties import Actor, Visitor
    from .share_access import ShareAccess
    from .shares import Shares
    from .tree import Node
    from .uploads import Upload


@dataclass
class _Begun:
    """What was made for a share, by id."""

    files: dict[str, Node] = field(default_factory=dict)
    folders: dict[str, Node] = field(default_factory=dict)


class Returns:
    """Takes the files that recipients return."""

    def __init__(
        self,
        context: Context,
        files: Files,
        shares: Shares,
        access: ShareAccess,
        *,
        mails: Mails,
        activity: Activity,
    ) -> None:
        self._context = context
        self._files = files
        self._shares = shares
        self._access = access
        self._mails = mails
        self._activity = activity
        self._begun: dict[str, _Begun] = {}

    def share(self, share_id: str, visitor: Visitor, *, need_pin: bool = True) -> Share:
        """Find the share to which somebody returns files.

        :param need_pin: whether its PIN must have been entered.
        :raises ApiError: when there is none, it takes no files, is closed, or not for this visitor.
        """
        share = self._shares.get(share_id)
        self._access.check_visitor(share, visitor, signed_in=share.request_auth)
        if not share.takes_files:
            raise ApiError(self._context.settings.permission_status, RESTRICTED, "The share takes no files")
        self._access.check_open(share)
        if need_pin:
            self._access.check(share, visitor, signed_in=share.request_auth)
        return share

    def folder(self, share: Share) -> Node:
        """Find the folder into which files go: that of a request, the sender's Inbox for a share.

        :raises ApiError: 404 when it is gone.
        """
        if share.kind != "request":
            return self._files.inbox(share.owner)
        if share.folder.id not in self._files.tree.nodes or any(one.kind == "T" for one in share.folder.way_up()):
            raise not_found("folder")
        return share.folder

    def _place(self, share: Share, parent_id: str) -> Node:
        folder = self.folder(share)
        if parent_id in ("", folder.id):
            return folder
        made = self._begun.get(share.id, _Begun()).folders.get(parent_id)
        if made is None or made.id not in self._files.tree.nodes:
            raise not_found("folder")
        return self._files.folder(share.owner, made.id, "parent_id")

    def begin_upload(self, share: Share, name: str, parent_id: str, size: int | None) -> Upload:
        """Begin to upload a file. It exists at once, and is empty.

        :param parent_id: the folder of the share, or one that was made for it; the former when empty.
        :param size: bytes that the file will have; None if unknown.
        :raises ApiError: when there is no such folder, or the file does not fit.
        """
        folder = self._place(share, parent_id)
        self._files.quota.check_file_size(size or 0)
        self._files.quota.check_space(share.owner, size or 0)
        node = self._files.make(folder, name, "F", Resolve())
        node.unfinished = node.unsent = True
        self._begun.setdefault(share.id, _Begun()).files[node.id] = node
        return self._files.uploads.begin(node, size, share_id=share.id)

    def log_upload(self, upload: Upload, actor: Actor) -> None:
        """Record in the activity log that a file was uploaded."""
        payload = {"files": files_payload([upload.node])}
        owner, share_id = upload.node.owner, upload.share_id
        self._activity.add(actor, owner, ("files-return", "upload"), payload, began=upload.began, share_id=share_id)

    def make_folder(self, share: Share, name: str, parent_id: str, visitor: Visitor) -> Node:
        """Make a folder.

        :param parent_id: the folder of the share, or one that was made for it; the former when empty.
        :raises ApiError: when there is no such folder, or the name is not allowed.
        """
        node = self._files.make(self._place(share, parent_id), name, "D", Resolve())
        node.unsent = True
        self._begun.setdefault(share.id, _Begun()).folders[node.id] = node
        payload = {"files": files_payload([node])}
        self._activity.add(visitor.actor, share.owner, ("files-return", "makedir"), payload, share_id=share.id)
        return node

    def checked_files(self, share: Share, ids: Sequence[str]) -> list[Node]:
        """Find the files that are sent.

        :param ids: of files and folders that were made for the share.
        :raises ApiError: 404 for any other file, 400 for an incomplete one, and when there are too many.
        """
        begun = self._begun.get(share.id, _Begun())
        known = {**begun.files, **begun.folders}
        nodes = []
        for node_id in dict.fromkeys(ids):
            if node_id not in known or node_id not in self._files.tree.nodes:
                raise not_found("returned file")
            if known[node_id].unfinished:
                raise bad_parameter("files", "names a file whose upload is not finalized")
            nodes.append(known[node_id])
        limit = self._shares.file_limit(share.owner)
        if limit is not None and len(nodes) > limit:
            status = self._context.settings.share_limit_status
            raise ApiError(status, RESTRICTED, f"No more than {limit} files can be returned")
        return nodes

    def send(self, share: Share, nodes: Sequence[Node], message: str, visitor: Visitor) -> None:
        """Return files: the sender gets them as a reply, and an e-mail.

        :param nodes: what :meth:`checked_files` has found.
        :raises ApiError: 400 when the message is too long.
        """
        checked_text("message", message, 0, LONGEST_MESSAGE)
        for node in nodes:
            for one in node.walk():
                one.unsent = False
        sender = Party("", "", "") if visitor.user is None else party_of(visitor.user)
        now = self._context.now
        reply = Share(
            "reply",
            share.owner,
            sender,
            "C",
            self.folder(share),
            now,
            now,
            0,
            files=[SharedFile.of(node) for node in nodes],
            recipients=(share.sender,),
            subject=share.subject and f"Re: {share.subject}",
            message=message,
        )
        self._shares.add(reply)
        share.replied.add(visitor.key)
        self._mails.send(Mail("reply", share.sender.email, sender.email, reply.id, reply.subject, message))
        payload = {"reply_id": reply.id, "files": files_payload(nodes)}
        self._activity.add(visitor.actor, share.owner, ("files-return", "replied"), payload, share_id=share.id)
        if share.kind == "request" and self._context.settings.request_once:
            share.revoked = True
