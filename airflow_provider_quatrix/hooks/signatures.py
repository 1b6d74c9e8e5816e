"""Names and types of all arguments of the operators and sensors, for editors and type checkers; imported by no DAG."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from os import PathLike
from typing import TYPE_CHECKING, Any, Required, TypedDict

if TYPE_CHECKING:
    from airflow_provider_quatrix.transfer.filters import Moment, Patterns

# Text, a path, or an earlier result, which is a mapping with ``path``. Operators also accept an XComArg instead.
Path = str | PathLike[str] | Mapping[str, Any]
Paths = Path | Sequence[Path]
# The same for paths on the host that runs the call, in signatures of the hook.
LocalPath = Path
LocalPaths = Paths
# E-mail addresses; a text may contain several.
Emails = str | Sequence[str]
# When something begins or ends: a timedelta counts from now, text is ISO 8601.
Deadline = datetime | timedelta | str | None
# The result of a share, or the reference in it.
Share = str | Mapping[str, Any]
Callbacks = Callable[[Any], None] | Sequence[Callable[[Any], None]] | None


class TaskArguments(TypedDict, total=False):
    """Arguments of every task of Airflow 2 and 3."""

    task_id: Required[str]
    allow_nested_operators: bool
    dag: Any
    default_args: dict[str, Any] | None
    depends_on_past: bool
    do_xcom_push: bool
    doc: str | None
    doc_json: str | None
    doc_md: str | None
    doc_rst: str | None
    doc_yaml: str | None
    email: str | Sequence[str] | None
    email_on_failure: bool
    email_on_retry: bool
    end_date: datetime | None
    execution_timeout: timedelta | None
    executor: str | None
    executor_config: dict[str, Any] | None
    ignore_first_depends_on_past: bool
    inlets: Any
    logger_name: str | None
    map_index_template: str | None
    max_active_tis_per_dag: int | None
    max_active_tis_per_dagrun: int | None
    max_retry_delay: timedelta | float | None
    multiple_outputs: bool
    on_execute_callback: Callbacks
    on_failure_callback: Callbacks
    on_retry_callback: Callbacks
    on_skipped_callback: Callbacks
    on_success_callback: Callbacks
    outlets: Any
    owner: str
    params: Mapping[str, Any] | None
    pool: str | None
    pool_slots: int
    post_execute: Callable[..., None] | None
    pre_execute: Callable[..., None] | None
    priority_weight: int
    queue: str
    render_template_as_native_obj: bool | None
    resources: dict[str, Any] | None
    retries: int | None
    retry_delay: timedelta | float
    retry_exponential_backoff: float
    retry_policy: Any
    run_as_user: str | None
    sla: timedelta | None
    start_date: datetime | None
    task_concurrency: int | None
    task_display_name: str | None
    task_group: Any
    trigger_rule: str
    wait_for_downstream: bool
    wait_for_past_depends_before_skipping: bool
    weight_rule: Any


class QuatrixArguments(TaskArguments, total=False):
    """Arguments of every task of this package."""

    quatrix_conn_id: str


class SourcesArguments(QuatrixArguments, total=False):
    """Arguments of the operators that work on what paths and patterns name."""

    glob: bool | None


class SelectingArguments(SourcesArguments, total=False):
    """Which files an operator works on."""

    include: Patterns | None
    exclude: Patterns | None
    newer_than: Moment | None
    older_than: Moment | None
    min_size: int | str
    max_size: int | str | None
    missing_ok: bool | str


class DeletingArguments(SelectingArguments, total=False):
    """Arguments of the delete operator, without its own."""

    path: Required[Paths]


class ListingArguments(SelectingArguments, total=False):
    """Arguments of the list operator, without its own."""

    results: str


class TargetArguments(SourcesArguments, total=False):
    """Arguments of the operators with a target."""

    source: Required[Paths]
    target: Required[Path]
    if_exists: str
    create_parents: bool | str
    results: str


class BulkMoveArguments(TargetArguments, SelectingArguments, total=False):
    """Arguments of the operators that move or copy on Quatrix."""

    keep_structure: bool | str
    on_error: str


class _HowArguments(TypedDict, total=False):
    transfers: int | str
    checksum: str | None
    bandwidth: float | str | None
    delete_source: bool | str


class StoreArguments(SourcesArguments, _HowArguments, total=False):
    """Arguments of the operator for other stores, without its own."""

    if_exists: str
    create_parents: bool | str
    results: str


class MirroringArguments(BulkMoveArguments, _HowArguments, total=False):
    """Arguments of uploads and downloads."""

    delete_extra: bool
    dry_run: bool


class _Waiting(TypedDict, total=False):
    exponential_backoff: bool
    max_wait: timedelta | float | None
    mode: str
    never_fail: bool
    silent_fail: bool
    soft_fail: bool
    timeout: timedelta | float


class AirflowSensorArguments(TaskArguments, _Waiting, total=False):
    """Arguments of every sensor of Airflow."""


class SensorArguments(AirflowSensorArguments, total=False):
    """Arguments of every sensor of this package."""

    quatrix_conn_id: str
    poke_interval: timedelta | float
    max_failures: int
    deferrable: bool | None


class FileSensorArguments(SensorArguments, total=False):
    """Arguments of the file sensor."""

    path: Required[Any]
    glob: bool | None
    newer_than: datetime | timedelta | str | None
    min_size: int | str
    min_age: timedelta | float | str


class FileSensorDecoratorArguments(FileSensorArguments, total=False):
    """Arguments of ``@task.quatrix_file_sensor``."""

    task_id: str  # type: ignore[misc]  # the function's name, unless it is given
    op_args: Collection[Any] | None
    op_kwargs: Mapping[str, Any] | None
