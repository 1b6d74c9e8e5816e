"""The pages for people: what the emulator shows, and what the recipient of a share sees."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, Response

from .. import web
from ..web.control import PREFIX

router = APIRouter()

# Nothing is loaded from elsewhere.
_POLICY = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self'; connect-src 'self'; img-src data:"


def _file(name: str, media_type: str) -> Response:
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
    return Response((files(web) / name).read_bytes(), headers=headers, media_type=f"{media_type}; charset=utf-8")


@router.get("/")
async def page() -> Response:
    """Show what the emulator knows."""
    return _file("page.html", "text/html")


@router.get("/download/{id}")
@router.get("/files-return/{id}")
async def recipient_page() -> Response:
    """Let a person act as a recipient, at the addresses to which the service's links lead."""
    return _file("recipient.html", "text/html")


@router.get(PREFIX + "/style.css")
async def style() -> Response:
    """Serve the style of the pages."""
    return _file("style.css", "text/css")


@router.get(PREFIX + "/common.js")
async def script() -> Response:
    """Serve what the scripts of the pages have in common."""
    return _file("common.js", "text/javascript")
