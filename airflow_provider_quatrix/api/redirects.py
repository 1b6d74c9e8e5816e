"""Decides which redirects are followed: credentials stay on the host and stay encrypted."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit

from airflow_provider_quatrix.api.errors import QuatrixResponseError


def next_url(method: str, url: str, status: int, location: str) -> str:
    """Return the URL to which a redirect leads, if the same request with the same credentials may go there.

    :return: a URL with the same scheme, host and port, or with https instead of http.
    :raises QuatrixResponseError: any other address, or the redirect would change the method.
    """
    old = urlsplit(url)
    host = f"{old.scheme}://{old.netloc}"
    try:
        target = urljoin(url, location)
        new = urlsplit(target)
        same_place = _place(new) in (_place(old), _place(old._replace(scheme="https")))
    except ValueError:
        raise QuatrixResponseError(f"{host} redirects to an invalid address", status) from None
    keeps_method = method == "GET" or status in (307, 308)
    if same_place and keeps_method:
        return target
    raise QuatrixResponseError(
        f"{host} redirects to {new.scheme}://{new.hostname}, where no credentials are sent. If that "
        "is the account's own address, set it as the connection's host.",
        status,
    )


def _place(url: SplitResult) -> tuple[str, str | None, int]:
    return url.scheme, url.hostname, url.port or {"http": 80}.get(url.scheme, 443)
