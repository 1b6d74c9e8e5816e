"""Buttons of a task in Airflow's interface that lead to Quatrix."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import contextmanager
from itertools import takewhile
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import BaseOperatorLink

from airflow_provider_quatrix.transfer.patterns import has_wildcards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.providers.common.compat.sdk import Context

log = logging.getLogger(__name__)

# Attribute of a task while it runs: the addresses that it has stored, by the class of the link.
_ADDRESSES = "_quatrix_addresses"


class _QuatrixLink(BaseOperatorLink):
    """Base of the links. A task stores an address, which Airflow keeps with its XComs."""

    @property
    def xcom_key(self) -> str:
        """The XCom key of the address; Airflow 3 reads it there by itself."""
        return f"_link_{type(self).__name__}"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address that a task has stored, or an empty text.

        :param ti_key: the task instance.
        """
        from airflow.providers.common.compat.sdk import XCom

        kept = getattr(operator, _ADDRESSES, {})
        if self.xcom_key in kept:
            return str(kept[self.xcom_key])
        return str(XCom.get_value(ti_key=ti_key, key=self.xcom_key) or "")

    def write(self, operator: Any, context: Context, address: str, *, at_once: bool = False) -> None:
        """Store an address; a failure does not fail the task.

        :param address: empty for none.
        :param at_once: show it while the task runs; Airflow 3 shows it at the task's end in any case.
        """
        setattr(operator, _ADDRESSES, {**getattr(operator, _ADDRESSES, {}), self.xcom_key: address})
        if "ti" not in context or not (at_once or _is_airflow_2()):
            return
        try:
            context["ti"].xcom_push(key=self.xcom_key, value=address)
        except Exception as error:  # noqa: BLE001 - it is only a button
            log.info("The link %r is not shown (%s)", self.name, type(error).__name__)


class QuatrixFilesLink(_QuatrixLink):
    """Leads to the account, with the folder or file that a task works on in the address."""

    name = "Open on Quatrix"


class QuatrixCaptchaLink(_QuatrixLink):
    """Leads to the page where a person signs in and passes the CAPTCHA, while the account is blocked."""

    name = "Pass the CAPTCHA"


@contextmanager
def showing_block(operator: Any, context: Context) -> Iterator[None]:
    """Show the page where a person passes the CAPTCHA, if a task meets a block."""
    from airflow_provider_quatrix.api.errors import QuatrixCaptchaRequired

    try:
        yield
    except QuatrixCaptchaRequired:
        show_block(operator, context)
        raise


def show_block(operator: Any, context: Context, *, is_blocked: bool = True) -> None:
    """Show the page where a person passes the CAPTCHA, or hide it.

    :param operator: the task, with ``quatrix_conn_id``.
    :param is_blocked: whether there is a CAPTCHA to pass.
    """
    from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

    known = getattr(operator, _ADDRESSES, {}).get(CAPTCHA.xcom_key, "")
    if bool(known) == is_blocked:
        return
    address = f"{QuatrixHook(operator.quatrix_conn_id).settings.base_url}/" if is_blocked else ""
    CAPTCHA.write(operator, context, address, at_once=True)


FILES = QuatrixFilesLink()
CAPTCHA = QuatrixCaptchaLink()
LINKS = (FILES, CAPTCHA)


def address_of(base_url: str, value: Any) -> str:
    """Return the address of what a task works on.

    The addresses of folders on Quatrix's own pages are not published. So the path follows a ``#``, which any page
    accepts.

    :param base_url: of the account.
    :param value: argument of the task: a path, pattern, URL or earlier result, or several.
    """
    while isinstance(value, list | tuple) and value:
        value = value[0]
    if isinstance(value, Mapping):
        value = value.get("path")
    path = fspath(value) if isinstance(value, str | PathLike) else ""
    path = path.partition("@")[2] if path.startswith("quatrix://") and "@" in path else path.removeprefix("quatrix://")
    names = takewhile(lambda name: not has_wildcards(name), path.strip("/").split("/"))
    return f"{base_url}/#/{quote('/'.join(names))}"


def _is_airflow_2() -> bool:
    from airflow import __version__

    return __version__.startswith("2.")
