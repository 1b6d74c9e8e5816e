"""The emulator as an ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from .routes import (
    api_keys,
    contacts,
    control,
    control_files,
    control_shares,
    downloads,
    files,
    pages,
    profile,
    projects,
    quicklinks,
    reports,
    returns,
    session,
    shares,
    tracking,
    uploads,
)
from .service.emulator import Emulator
from .service.errors import NOT_FOUND, NOT_SUPPORTED, UNKNOWN_ERROR, ApiError
from .settings import EmulatorSettings
from .web.bodies import JSON
from .web.middleware import Middleware, Templates

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .service.accounts import ApiKeySpec, UserSpec

API_ROUTERS = (
    session.router,
    profile.router,
    files.router,
    uploads.api_router,
    uploads.root_router,
    downloads.router,
    reports.router,
    projects.router,
    api_keys.router,
    contacts.router,
    shares.router,
    quicklinks.router,
    returns.request_router,
    returns.router,
    tracking.router,
    tracking.inbox_router,
)
"""The routers of the service itself; further ones are added here."""


async def _api_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiError):
        raise error
    return Response(error.body(), error.status, error.headers, JSON)


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    code = {404: NOT_FOUND, 405: NOT_SUPPORTED}.get(error.status_code, UNKNOWN_ERROR)
    headers = dict(error.headers or {})
    return await _api_error(request, ApiError(error.status_code, code, str(error.detail), headers=headers))


def create_app(
    settings: EmulatorSettings | None = None,
    users: Iterable[UserSpec] = (),
    api_keys: Iterable[ApiKeySpec] = (),
    data_dir: str | Path | None = None,
) -> Middleware:
    """Make an emulator.

    :param settings: how to behave; the defaults when None.
    :param users: who exists at the start and after a reset.
    :param api_keys: keys that exist at the start and after a reset.
    :param data_dir: folder for the contents of files; None for the system's temporary folder.
    :return: an ASGI application. It must be served by :class:`.server.EmulatorServer` for faults that cut
        connections.
    :raises ValueError: for unsuitable settings, or a key without a user.
    """
    emulator = Emulator(settings or EmulatorSettings(), users, api_keys, data_dir)
    app = FastAPI(title="Quatrix emulator", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.emulator = emulator
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _http_error)
    for router in (*API_ROUTERS, control.router, control_files.router, control_shares.router, pages.router):
        app.include_router(router)
    paths = [route.path for router in API_ROUTERS for route in router.routes if hasattr(route, "path")]
    return Middleware(app, emulator, Templates(paths))
