"""The calls for file requests, and for files that recipients return."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, Response

from ..service.file_requests import NewRequest
from ..web import parameters
from ..web.bodies import json_response
from ..web.credentials import SettledCallerOf, VisitorOf, address_of, emulator_of

request_router = APIRouter(prefix="/api/1.0/share")
router = APIRouter(prefix="/api/1.0/files-return")


class WantedRequest(parameters.Parameters):
    """A file request to make."""

    ids: parameters.AnyIds
    folder_id: parameters.Text = ""
    message: parameters.Text = ""
    send_email: parameters.Flag = True
    return_pgp_encrypted: parameters.Flag = False
    request_auth: parameters.Flag = True


class Reminder(parameters.Parameters):
    """The message of an e-mail that is sent again."""

    message: parameters.Text = ""


class NewFile(parameters.Parameters):
    """A file to return."""

    name: parameters.Text
    parent_id: parameters.Text = ""
    file_size: parameters.Size | None = None


class NewFolder(parameters.Parameters):
    """A folder to make."""

    name: parameters.Text
    parent_id: parameters.Text = ""


class Reply(parameters.Parameters):
    """Files to send."""

    id: parameters.Text
    files: parameters.Ids
    message: parameters.Text = ""


@request_router.post("/request")
async def ask(request: Request, caller: SettledCallerOf) -> Response:
    """Ask people for files. It starts a job, and yet answers 200."""
    wanted = await parameters.read(request, WantedRequest)
    requests = emulator_of(request).file_requests
    share, job_id = requests.create(caller.user, NewRequest(**wanted.model_dump()), address_of(request))
    return json_response({"id": share.id, "url": f"{request.base_url}files-return/{share.id}", "job_id": job_id})


@request_router.post("/send-request/{id}")
async def ask_again(request: Request, caller: SettledCallerOf) -> Response:
    """Send the e-mails of a file request once more; the body may be missing."""
    emulator = emulator_of(request)
    bodiless = request.headers.get("content-length", "0") == "0"
    message = "" if bodiless else (await parameters.read(request, Reminder)).message
    share = emulator.shares.own(caller.user, request.path_params["id"])
    emulator.share_access.check_open(share)
    return json_response({"job_id": emulator.file_requests.send(share, message, address_of(request))}, 202)


@router.get("/metadata/{id}")
async def metadata(request: Request, visitor: VisitorOf) -> Response:
    """Show what a recipient sees before returning files."""
    emulator = emulator_of(request)
    share = emulator.returns.share(request.path_params["id"], visitor, need_pin=False)
    user = visitor.user
    return json_response(
        {
            "id": share.id,
            "subject": share.subject,
            "message": share.message,
            "sender_name": share.sender.name,
            "sender_email": share.sender.email,
            "sender_key": None,
            "user_name": None if user is None else user.name,
            "user_email": None if user is None else user.spec.email,
            "locale": "en_US",
            "title": "Quatrix emulator",
            "share_type": share.share_type,
            "folder_id": emulator.returns.folder(share).id,
            "activates": int(share.activates),
            "expires": int(share.expires),
            "files_per_share": emulator.shares.file_limit(share.owner),
            "pgp_enabled": False,
            "return_pgp_encrypted": share.return_pgp_encrypted,
        }
    )


@router.post("/upload-link/{id}")
async def upload_link(request: Request, visitor: VisitorOf) -> Response:
    """Begin to upload a file. The key alone is enough for what follows."""
    returns = emulator_of(request).returns
    wanted = await parameters.read(request, NewFile)
    share = returns.share(request.path_params["id"], visitor)
    upload = returns.begin_upload(share, wanted.name, wanted.parent_id, wanted.file_size)
    parent = upload.node.parent
    parent_id = None if parent is None else parent.id
    return json_response({"file_id": upload.node.id, "upload_key": upload.key, "parent_id": parent_id})


@router.post("/makedir/{id}")
async def make_folder(request: Request, visitor: VisitorOf) -> Response:
    """Make a folder."""
    returns = emulator_of(request).returns
    wanted = await parameters.read(request, NewFolder)
    share = returns.share(request.path_params["id"], visitor)
    node = returns.make_folder(share, wanted.name, wanted.parent_id, visitor)
    parent_id = None if node.parent is None else node.parent.id
    return json_response({"id": node.id, "parent_id": parent_id, "modified": int(node.modified)}, 201)


@router.post("/send")
async def send(request: Request, visitor: VisitorOf) -> Response:
    """Return files that were uploaded."""
    emulator = emulator_of(request)
    returns, settings = emulator.returns, emulator.settings
    wanted = await parameters.read(request, Reply)
    share = returns.share(wanted.id, visitor)
    nodes = returns.checked_files(share, wanted.files)
    if settings.return_as_job:
        due = emulator.files.now + settings.job_seconds
        work = partial(returns.send, share, nodes, wanted.message, visitor)
        return json_response({"job_id": emulator.files.jobs.add("files-return/send", due, work)}, 202)
    returns.send(share, nodes, wanted.message, visitor)
    return json_response({"file_ids": [node.id for node in nodes]}, 201)
