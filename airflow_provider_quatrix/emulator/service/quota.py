"""How much users may store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import RESTRICTED, ApiError

if TYPE_CHECKING:
    from .context import Context
    from .tree import Tree


class Quota:
    """The limits on what is stored in a tree."""

    def __init__(self, context: Context, tree: Tree) -> None:
        self._context = context
        self._tree = tree

    def used(self) -> int:
        """Return how many bytes all users store."""
        return self._tree.used.total()

    def check_space(self, owner: str, more: int) -> None:
        """Make sure that something fits.

        :param owner: key of the user who wants to store it.
        :raises ApiError: 400 when it does not.
        """
        settings = self._context.settings
        user_full = settings.user_quota is not None and self._tree.used[owner] + more > settings.user_quota
        if more > 0 and (user_full or self.used() + more > settings.account_quota):
            raise ApiError(400, settings.quota_code, "Quota exceeded")

    def check_file_size(self, size: int) -> None:
        """Make sure that a file is not too large.

        :raises ApiError: 400 when it is.
        """
        limit = self._context.settings.max_file_size
        if limit is not None and size > limit:
            raise ApiError(400, RESTRICTED, f"A file must not be larger than {limit} bytes")
