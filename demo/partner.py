"""A partner outside, who does what the service's e-mails ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_quatrix.emulator.client import EmulatorClient

EMAIL = "partner@example.com"
ORDERS = "orders.csv"
CONTENT = b"order,units\n1,12\n2,7\n"


class Partner:
    """Sends files for requests and downloads shared files, once for each e-mail.

    :param emulator: the service, which has sent this person no e-mail yet.
    :ivar downloaded: names of the files that were downloaded.
    """

    def __init__(self, emulator: EmulatorClient) -> None:
        self._emulator = emulator
        self._read = 0
        self.downloaded: list[str] = []

    def read_mails(self) -> None:
        """Follow the links of the e-mails that have come since the last time."""
        mails = self._emulator.mails
        for mail in mails[self._read :]:
            if mail["to"] == EMAIL and mail["kind"] == "request":
                self._emulator.return_files(mail["share_id"], {ORDERS: CONTENT}, EMAIL)
            elif mail["to"] == EMAIL and mail["kind"] == "share":
                self.downloaded += self._emulator.download_share(mail["share_id"], EMAIL)
        self._read = len(mails)
