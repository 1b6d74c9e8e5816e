"""The settings: one for each question that the published documentation leaves open."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

T = TypeVar("T")
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Status = Annotated[int, Field(ge=200, le=599)]
Count = Annotated[int, Field(ge=1)]
Size = Annotated[int, Field(ge=0)]
Delay = Annotated[float, Field(ge=0, allow_inf_nan=False)]
FaultBody = Literal["json", "html", "empty"]
ShareType = Literal["P", "T", "C"]
"""Public, tracked, restricted to the recipients."""


@dataclass(frozen=True)
class EmulatorSettings:
    """How the emulator behaves where the service's documentation says nothing.

    The defaults are the likeliest behaviour. With the other values you can test a client against a service that decided
    otherwise.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    unauthorized_code: int = 70
    """The code of the 401 that answers a missing, unknown or expired session and an unknown API key."""

    wrong_password_code: int = 70
    """The code of the 401 that answers a wrong e-mail or password."""

    session_id_in: Literal["both", "body", "header"] = "both"
    """Where a login returns the session id: member ``session_id`` (``body``), header ``X-Auth-Token`` (``header``), or
    ``both``."""

    idle_seconds: Seconds = 900.0
    """A session ends when no call was accepted on it for this time."""

    transfers_refresh: bool = True
    """Whether moving file content counts as a call that keeps the session."""

    max_age_seconds: Seconds | None = None
    """A session ends at this age however busy it is; None for no such limit."""

    max_sessions: Count | None = None
    """How many sessions a user may have at once; one more ends the oldest. None for no such limit."""

    dead_logout_status: Status = 401
    """The status of a logout without a live session: below 300 with an empty body, else with an ErrorModel."""

    mfa_code_2fa: int | None = 71
    """``Mfa-Code`` of a login that wants a TOTP code, and the code of calls on such a session. None leaves the
    header out."""

    mfa_code_pin: int | None = 73
    """``Mfa-Code`` of a login that wants a PIN, and the code of calls on such a session. None leaves the header
    out."""

    wrong_totp_code: int = 83
    """The code of the 401 that answers a wrong or repeated TOTP code."""

    wrong_pin_code: int = 84
    """The code of the 401 that answers a wrong PIN."""

    second_factor_new_id: bool = False
    """Whether a passed second factor gives the session another id, which a client must adopt."""

    login_limit: Count | None = 15
    """How many logins of a user are let through per window; None for no limit."""

    login_window_seconds: Seconds = 900.0
    """The length of the sliding window of ``login_limit``."""

    login_limit_status: Status = 429
    """The status of a login beyond the limit."""

    login_limit_code: int = 50
    """The code of a login beyond the limit."""

    login_limit_counts_refused: bool = False
    """Whether logins beyond the limit fill the window too, so that a client that hammers never gets in again."""

    retry_after: Literal["seconds", "date", "none"] = "seconds"
    """The form of the header ``Retry-After`` of a login beyond the limit: ``seconds``, an HTTP ``date``, or
    ``none``."""

    captcha_after_failures: Count | None = 5
    """After so many failed logins of a user in a row a CAPTCHA block begins; None for never. The last of them is still
    answered as a wrong password, the next login as blocked."""

    captcha_counts_wrong_codes: bool = False
    """Whether a wrong second factor counts as a failed login."""

    captcha_blocks_live_sessions: bool = True
    """Whether the block of a user blocks the sessions opened before it too, or only further logins."""

    captcha_status: Status = 401
    """The status of a refusal that asks for a CAPTCHA."""

    captcha_code: int = 70
    """The code of a refusal that asks for a CAPTCHA."""

    captcha_msg: str = "Captcha required"
    """The ``msg`` of a refusal that asks for a CAPTCHA."""

    captcha_details: bool = True
    """Whether such a refusal has ``details`` with ``captcha_required`` and, for a login, ``session_id``."""

    captcha_header: bool = True
    """Whether a blocked login carries the session id in the header ``X-Auth-Token``."""

    captcha_exempt: tuple[str, ...] = ("session/logout",)
    """The calls that work on a blocked session, by path below ``/api/1.0/``."""

    captcha_blocks_api_keys: bool = False
    """Whether the block of a user applies to the user's API keys too."""

    captcha_tokens: tuple[str, ...] = ("passed",)
    """The tokens that pass the CAPTCHA."""

    captcha_token_once: bool = False
    """Whether each of these tokens passes one time only."""

    captcha_unblock_ends_session: bool = False
    """Whether login must be repeated after a passed CAPTCHA, because the blocked session ends with it."""

    unblock_get: bool = False
    """Whether ``GET session/unblock-captcha?token=`` works as well; otherwise it answers 405."""

    bearer_session_status: Status = 200
    """The status of keepalive and logout when called with an API key; below 300 with an empty body, else with an
    ErrorModel. Neither does anything then."""

    system_folders: bool = True
    """Whether a home contains the folders Inbox and Outbox, besides the Trash that is always there."""

    name_limit_in: Literal["characters", "bytes"] = "characters"
    """Whether a name may have 255 ``characters`` or 255 ``bytes`` of UTF-8."""

    trailing_space: Literal["refuse", "strip", "keep"] = "refuse"
    """What becomes of a name with spaces at the end: ``refuse`` it, ``strip`` them, or ``keep`` them."""

    conflict_status: Status = 400
    """The status of a refusal because a name is taken; its code is 30."""

    permission_status: Status = 403
    """The status of a refusal because a permission is missing; its code is 50."""

    operations: int = 65535
    """The bit mask ``operations`` of every object."""

    user_quota: Size | None = None
    """How many bytes each user may store; None for no limit but the account's."""

    account_quota: Size = 1 << 40
    """How many bytes all users may store together."""

    quota_code: int = 122
    """The code of the 400 that refuses content beyond the quota."""

    max_file_size: Size | None = None
    """How many bytes a file may have; None for no limit."""

    file_call_limit: Count | None = None
    """How many file and upload calls of a user are let through per window, not counting chunks and downloads; None for
    no limit. Refusals look like those of ``login_limit``."""

    file_call_window_seconds: Seconds = 900.0
    """The length of the sliding window of ``file_call_limit``."""

    replaced_to_trash: bool = False
    """Whether ``copyone`` and ``moveone`` put an object that they overwrite into the Trash, or remove it for good."""

    trash_days: Seconds | None = 30.0
    """How long the Trash keeps something; None for no limit."""

    strict_delete: bool = False
    """Whether one unknown id makes ``file/delete``, ``file/move`` and ``file/copy`` fail; otherwise it is ignored, and
    the call fails only if all ids are unknown."""

    job_above: Count = 10
    """With more ids than this ``file/move`` and ``file/delete`` become jobs. ``file/copy`` is always a job."""

    job_seconds: Delay = 0.5
    """How long after its 202 a job takes effect."""

    job_fails: bool = False
    """Whether jobs never take effect, although the response is a 202."""

    upload_key_seconds: Seconds = 900.0
    """How long an upload key lives."""

    upload_key_sliding: bool = True
    """Whether every accepted chunk restarts the lifetime of its upload key."""

    hide_partial_files: bool = False
    """Whether a new file is listed and found by its path only after ``upload/finalize``; its id works before."""

    strict_chunks: bool = False
    """Whether a chunk must come in order, have exactly the length and the total that were announced, and carry
    credentials."""

    strict_finalize: bool = False
    """Whether ``upload/finalize`` refuses a file that is shorter or longer than announced."""

    download_link_seconds: Seconds = 900.0
    """How long a download link lives."""

    download_link_once: bool = False
    """Whether a download link works one time only."""

    antivirus_infected: str = "infected"
    """What ``file/info`` says of a file in which the virus check has found something."""

    antivirus_checking: str = "checking"
    """What ``file/info`` says of a file that is being checked for viruses."""

    antivirus_seconds: Delay = 0.0
    """How long the virus check of a file takes after its upload."""

    antivirus_locks: bool = False
    """Whether files that are infected or being checked can be neither read nor downloaded from a share."""

    ignore_range: bool = False
    """Whether downloads ignore the header ``Range`` and answer with the whole file and status 200."""

    bytes_per_second: Count | None = None
    """How fast the content of each upload and each download moves; None for as fast as it can."""

    contact_name_optional: bool = False
    """Whether a contact may have no name."""

    contact_groups: tuple[str, ...] = ()
    """The names of the groups that contacts can be in."""

    recipients_as_object: bool = False
    """Whether ``share/recipients`` answers with the first recipient alone instead of a list."""

    share_types: tuple[ShareType, ...] = ("P", "T", "C")
    """The types of shares that users may make, unless a user has others: public, tracked, restricted."""

    max_files_per_share: Count | None = None
    """How many files a share may have, unless a user has another limit; None for no limit."""

    share_limit_counts_tree: bool = False
    """Whether ``max_files_per_share`` counts all files in shared folders, or what the call names."""

    share_limit_status: Status = 400
    """The status of a refusal for a forbidden type of share or too many files; its code is 50."""

    share_mails: bool = True
    """Whether the e-mails of shares and file requests go out and are noted in the activity log, or get lost."""

    share_needs_contacts: bool = True
    """Whether ``share/create`` and ``share/request`` refuse an empty list of recipients."""

    owner_reads_share: bool = True
    """Whether senders may open their own restricted shares like recipients."""

    closed_share_status: Status = 404
    """The status of calls on a share that is revoked (code 80), expired (60) or not active yet (81);
    ``share/download-info`` always answers."""

    revoke_twice_status: Status = 200
    """The status of revoking a share again: below 300 as the first time, else with an ErrorModel of code 80."""

    share_pin_code: int = 73
    """The code of the 401 that answers calls on a share whose PIN was not entered."""

    share_pin_guest: Literal["token", "address"] = "token"
    """How a stranger who entered a PIN is recognised: by a ``token`` from the header ``X-Auth-Token`` of the response,
    or by the ``address``."""

    share_download_needs_caller: bool = False
    """Whether ``share/download`` needs credentials, except for public shares."""

    share_ranges_count: bool = False
    """Whether a download of a shared file that starts after its first byte counts as a download."""

    public_shares_know_users: bool = False
    """Whether downloads of a public share show the e-mail of a signed-in recipient, or the IP address only."""

    quicklink_days: Seconds | None = 7.0
    """How long a quicklink is good; None for no limit."""

    quicklink_status: Status = 201
    """The status of ``quicklink/create``."""

    request_days: Seconds | None = None
    """How long a file request is open; None for no limit."""

    request_once: bool = False
    """Whether the first reply closes a file request."""

    hide_unsent_files: bool = False
    """Whether files that a recipient returns are listed only after ``files-return/send``."""

    return_as_job: bool = False
    """Whether ``files-return/send`` answers 202 and is done by a job."""

    tracking_scope: Literal["own", "account"] = "own"
    """Whether users see only their ``own`` shares and actions in the tracking calls, or those of the whole
    ``account``."""

    tracking_date: Literal["since", "day"] = "since"
    """Whether ``date`` asks for the shares made ``since`` then, or on that ``day`` (UTC)."""

    paging_order: Literal["newest", "oldest"] = "newest"
    """Whether ``tracking/activity``, ``tracking/csv`` and ``inbox`` begin with the ``newest`` entry or with the
    ``oldest``."""

    paging_id: Literal["after", "before", "alone"] = "after"
    """Whether a page with ``id`` contains what comes ``after`` that entry in this order, what comes ``before`` it, or
    that entry ``alone``."""

    paging_repeats_id: bool = False
    """Whether a page also contains the entry that ``id`` names."""

    paging_most: Count = 1000
    """How many entries a page contains at most, whatever ``limit`` asks for."""

    paging_includes_end: bool = True
    """Whether ``to`` belongs to the period; ``from`` always does."""

    hostile_size_offset: int = 0
    """What is added to the true size of files in all metadata."""

    hostile_finalize_offset: int = 0
    """What is added to the true size in the response of ``upload/finalize``."""

    hostile_endless_download: bool = False
    """Whether downloads of a single file have no length and never end."""

    hostile_download_redirect: str | None = None
    """Where downloads are redirected with 302: scheme, host and port of another server; None for nowhere."""

    fault_body: FaultBody = "json"
    """The body of an injected fault that has none: an ErrorModel (``json``), a page as a proxy sends it (``html``), or
    nothing (``empty``)."""

    random_seed: int = 0
    """Seed of the random numbers that decide on faults with a probability; the same after every reset."""

    def replace(self, **overrides: Any) -> EmulatorSettings:
        """Make a checked copy with some settings changed.

        :raises ValueError: for an unknown name or an unsuitable value, in one line.
        """
        values = {**asdict(self), **overrides}
        return validated(_ADAPTER, values)

    def as_dict(self) -> dict[str, Any]:
        """The settings by name, as JSON."""
        return asdict(self)


def validated(adapter: TypeAdapter[T], value: object) -> T:
    """Check a value against a type.

    :raises ValueError: one line that names each bad member, but never repeats a value, which may be a secret.
    """
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        found = [
            f"{'.'.join(str(part) for part in item['loc']) or 'body'}: {item['msg']}"
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise ValueError("; ".join(found)) from None


_ADAPTER = TypeAdapter(EmulatorSettings)
