"""Every command and sample of README and docs runs as it stands, or says here why it cannot."""

from __future__ import annotations

import configparser
import os
import re
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import markdown_pages as markdown
import pytest

from airflow_provider_quatrix.emulator.client import EmulatorClient
from airflow_provider_quatrix.hooks.connection import ConnectionSettings
from airflow_provider_quatrix.pytest_plugin import EMAIL, PASSWORD
from demo.__main__ import TITLES
from demo.scenes import SCENES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_quatrix.pytest_plugin import QuatrixConnection

PROGRAMS = Path(sys.executable).parent
# Fits wherever a page writes "..." for a secret: a password and a base32 secret.
SECRET = "JBSWY3DPEHPK3PXP"
TIMEOUT = 120

# Which test of this folder runs a block: by the page, and how the block begins.
RUN_HERE = {
    ("README.md", "export AIRFLOW_CONN_"): "test_connections_in_the_environment",
    ("cli.md", "python -m airflow_provider_quatrix check\n"): "test_commands_about_a_connection_and_files",
    ("cli.md", "python -m airflow_provider_quatrix check --live"): "test_check_live_prints_what_the_page_says",
    ("cli.md", "Connection     ok"): "test_check_live_prints_what_the_page_says",
    ("connection.md", "airflow connections add"): "test_a_connection_is_added_by_airflows_command",
    ("connection.md", "export AIRFLOW_CONN_"): "test_connections_in_the_environment",
    ("connection.md", "Connection 'quatrix_default': extra has"): "test_a_bad_connection_says_what_the_page_says",
    ("development.md", "DAG  "): "test_the_demo_prints_such_a_table",
    ("docker.md", "QUATRIX_CONNECTION="): "test_connections_in_the_environment",
    ("emulator.md", "quatrix-emulator --host"): "test_the_emulator_starts_as_a_command",
    ("emulator.md", "quatrix-emulator --tls"): "test_rclone_works_with_the_emulator",
    ("emulator.md", "from airflow_provider_quatrix.hooks.quatrix"): "test_the_tests_on_the_emulators_page_pass",
    ("emulator.md", "from airflow_provider_quatrix.emulator.service.accounts"): "test_a_server_of_ones_own",
    ("metrics.md", "[metrics]"): "test_airflow_knows_the_options_of_metrics",
    ("metrics.md", "# Files per hour"): "test_the_dashboard_asks_for_metrics_that_are_sent",
    ("object-storage.md", "from airflow_provider_quatrix.api"): "test_the_file_system_works_without_airflow",
    ("service.md", "python -m airflow_provider_quatrix check --live"): "test_check_live_prints_what_the_page_says",
}
# Which test elsewhere runs all blocks of a page in a language, or, with a comment, of that kind.
RUN_ELSEWHERE = {
    ("audit.md", "python"): "tests/docs/test_docs_audit.py::test_the_sample_fills_the_table_of_the_page",
    ("audit.md", "sql"): "tests/docs/test_docs_audit.py::test_the_sample_fills_the_table_of_the_page",
    ("README.md", "python"): "tests/docs/test_docs_first_dag.py::test_it_moves_files_with_one_login",
    ("hook.md", "python"): "tests/docs/test_docs_hook.py::test_the_samples_run_one_after_the_other",
    ("hook.md", "text"): "tests/docs/test_docs_hook.py::test_every_public_method_is_there_with_its_signature",
    ("lineage.md", "ini"): "tests/docs/test_docs_lineage.py::test_the_provider_knows_the_option",
    ("lineage.md", "json"): "tests/docs/test_docs_lineage.py::test_the_event_names_what_the_upload_moves",
    ("lineage.md", "python"): "tests/docs/test_docs_lineage.py::test_the_samples_make_one_asset",
    ("notifications.md", "python"): "tests/docs/test_docs_notifications.py::test_the_recipes_are_dags",
    ("sessions.md", "python"): "tests/docs/test_docs_redis_store.py::test_hosts_that_share_a_redis_sign_in_once",
    ("testing.md", "file"): "tests/docs/test_docs_testing.py::test_the_project_of_the_page_passes_its_tests",
    ("", "example"): "tests/docs/test_docs_facts.py::test_examples_are_those_of_the_dags",
}
# Why a block is not run in the tests, and what does it instead.
NOT_RUN = {
    ("README.md", "make demo\n"): "tests/demo/test_make_demo.py runs what the target runs",
    ("README.md", "make wheel && pip install"): "installs; make check-wheel builds the wheel and installs it",
    ("development.md", "airflow_provider_quatrix/\n"): "a drawing of folders",
    ("development.md", "def count(self, folder"): "a change to the emulator that nobody has made; it is compiled",
    ("development.md", "class Folder(parameters"): "a change to the emulator that nobody has made; it is compiled",
    ("development.md", "count_unfinished: bool"): "a change to the emulator that nobody has made; it is compiled",
    ("docker.md", "$ python3 docker/generate_env.py"): "needs a container engine; tests/docker runs the first command",
    ("emulator.md", "pip install '.[emulator]'"): "installs; make check-wheel installs the extra",
    ("testing.md", "pip install '.[emulator]' pytest"): "installs; make check-wheel does it and runs a test",
    ("testing.md", "python -m pytest\n"): "tests/docs/test_docs_testing.py runs it in the project of the page",
}


def described(page: Path, block: markdown.CodeBlock) -> str:
    return f"{page.name}: {block.text.splitlines()[0]}"


def ways(page: Path, block: markdown.CodeBlock) -> list[str]:
    """Return what the tables above say of a block."""
    if block.note:
        kind = ("", "example") if not markdown.is_file(block) else (page.name, "file")
        return [RUN_ELSEWHERE[kind]]
    tables = (RUN_HERE, NOT_RUN)
    found = [
        how
        for table in tables
        for (name, start), how in table.items()
        if name == page.name and block.text.startswith(start)
    ]
    return found or [how for key, how in RUN_ELSEWHERE.items() if key == (page.name, block.language)]


@pytest.mark.parametrize("page", markdown.PAGES, ids=lambda page: page.name)
def test_every_block_is_run_or_says_why_not(page: Path) -> None:
    blocks = markdown.code_blocks(page) + markdown.indented_blocks(page)
    assert [described(page, block) for block in blocks if len(ways(page, block)) != 1] == []
    for name, start in (*RUN_HERE, *NOT_RUN):
        if name == page.name:
            assert any(block.text.startswith(start) for block in blocks), start


def test_the_tests_that_run_blocks_exist() -> None:
    assert set(RUN_HERE.values()) <= set(globals())
    for node in RUN_ELSEWHERE.values():
        file, _, name = node.partition("::")
        assert f"def {name}(" in (markdown.ROOT / file).read_text()
    for reason in NOT_RUN.values():
        for file in re.findall(r"tests/\S+", reason):
            assert (markdown.ROOT / file).exists()


def test_every_target_of_make_that_is_named_exists() -> None:
    named = {
        target
        for page in (*markdown.PAGES, markdown.ROOT / "CONTRIBUTING.md", markdown.ROOT / "SECURITY.md")
        for target in re.findall(r"(?:`|    )make ([a-z][a-z0-9.-]*)", page.read_text())
    }
    assert {"demo", "up", "test", "bench", "pictures", "ci"} <= named
    targets = set(re.findall(r"^([a-z0-9.-]+):", (markdown.ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named <= targets


def test_every_extra_that_is_installed_exists() -> None:
    settings = configparser.ConfigParser()
    settings.read(markdown.ROOT / "setup.cfg")
    named = {extra for page in markdown.PAGES for extra in re.findall(r"pip install '\.\[(\w+)\]'", page.read_text())}
    assert named == {"emulator"}
    assert named <= set(settings["options.extras_require"])


# Running what stands on a page


def block(page: str, start: str) -> str:
    """Return the one block that begins so."""
    path = markdown.ROOT / "README.md" if page == "README.md" else markdown.ROOT / "docs" / page
    (found,) = [
        each.text for each in markdown.code_blocks(path) + markdown.indented_blocks(path) if each.text.startswith(start)
    ]
    return found


def shell(text: str, folder: Path, *, check: bool = True) -> str:
    """Run commands as a person does, with the programs of this environment; return what they print."""
    path = os.pathsep.join([str(PROGRAMS), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euc", text],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("page", "start", "variable"),
    [
        ("README.md", "export AIRFLOW_CONN_", "AIRFLOW_CONN_QUATRIX_DEFAULT"),
        ("connection.md", "export AIRFLOW_CONN_", "AIRFLOW_CONN_QUATRIX_DEFAULT"),
        ("docker.md", "QUATRIX_CONNECTION=", "QUATRIX_CONNECTION"),
    ],
)
def test_connections_in_the_environment(page: str, start: str, variable: str, tmp_path: Path) -> None:
    from airflow.models.connection import Connection

    text = re.sub(r"\.\.\.|…", SECRET, block(page, start))
    # A block may hold several, of which each is one to take.
    commands = re.split(rf"^(?=(?:export )?{variable}=)", text, flags=re.MULTILINE)[1:]
    assert len(commands) == text.count(f"{variable}=")
    for command in commands:
        value = shell(f'{command}\nprintf %s "${variable}"', tmp_path)
        made = Connection.from_json(value) if value.startswith("{") else Connection(uri=value)
        settings = ConnectionSettings.from_connection(made)
        assert (made.conn_type, settings.password) == ("quatrix", SECRET)
        assert settings.login.startswith("robot@")
        assert settings.base_url in ("https://acme.quatrix.it", "http://127.0.0.1:8580")


def test_a_connection_is_added_by_airflows_command(
    airflow_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models import Connection
    from airflow.utils.session import create_session

    # This process may have no key to decrypt what the command writes.
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "")
    shell(block("connection.md", "airflow connections add").replace("...", SECRET), tmp_path)
    with create_session() as session:
        settings = ConnectionSettings.from_connection(session.query(Connection).one())
    assert (settings.base_url, settings.login) == ("https://acme.quatrix.it", "robot@acme.example")
    assert (settings.password, settings.totp_secret) == (SECRET, SECRET)


def test_a_bad_connection_says_what_the_page_says() -> None:
    from airflow.models.connection import Connection

    text = block("connection.md", "Connection 'quatrix_default': extra has").partition("…")[0]
    bad = Connection("quatrix_default", "quatrix", host="acme", login="a@b.example", password="x", extra='{"totp": 1}')
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        ConnectionSettings.from_connection(bad)


def test_commands_about_a_connection_and_files(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection, airflow_db: Path, tmp_path: Path
) -> None:
    quatrix_emulator.put_file(EMAIL, "/inbox/a.csv", b"1;2\n")
    printed = shell(block("cli.md", "python -m airflow_provider_quatrix check\n"), tmp_path)
    assert f"as {EMAIL}" in printed
    assert "/inbox/a.csv" in printed
    assert (tmp_path / "incoming" / "a.csv").read_bytes() == b"1;2\n"
    assert quatrix_emulator.logins == 1


def test_check_live_prints_what_the_page_says(
    quatrix_emulator: EmulatorClient, quatrix_connection: QuatrixConnection, airflow_db: Path, tmp_path: Path
) -> None:
    quatrix_emulator.configure(ignore_range=True)
    command = block("cli.md", "python -m airflow_provider_quatrix check --live")
    assert command == block("service.md", "python -m airflow_provider_quatrix check --live")
    printed = shell(command, tmp_path, check=False)
    text = block("cli.md", "Connection     ok").replace("https://acme.quatrix.it", quatrix_emulator.url)
    wanted = text.replace("robot@acme.example", EMAIL).splitlines()
    assert [line for line in wanted if line != "…" and line not in printed.splitlines()] == [], printed


def test_the_demo_prints_such_a_table() -> None:
    titles, *rows = block("development.md", "DAG  ").splitlines()
    assert re.split(r"  +", titles) == list(TITLES)
    assert [row.split()[0] for row in rows] == [scene.dag_id for scene in SCENES]


# The emulator


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def started(command: str, folder: Path) -> Iterator[str]:
    """Start a server by a command, and stop it at the end; yields the line that it prints."""
    path = os.pathsep.join([str(PROGRAMS), os.environ["PATH"]])
    with subprocess.Popen(
        ["bash", "-euc", f"exec {command}"],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline()
        finally:
            process.terminate()
    assert process.returncode == 0


def test_the_emulator_starts_as_a_command(tmp_path: Path) -> None:
    port = free_port()
    command = block("emulator.md", "quatrix-emulator --host")
    page = (markdown.ROOT / "docs" / "emulator.md").read_text()
    (line,) = re.findall(r"It prints `([^`]+)`", page)
    # The page's port may be taken on this machine.
    with started(command.replace("8580", str(port)), tmp_path) as printed:
        assert printed == line.replace("8580", str(port)) + "\n"
        with EmulatorClient(printed.split()[-1]) as emulator:
            assert list(emulator.users) == ["robot@example.com"]


def test_rclone_works_with_the_emulator(tmp_path: Path) -> None:
    port = free_port()
    start, use = block("emulator.md", "quatrix-emulator --tls").splitlines()
    assert start.endswith(" &")
    with started(f"{start.removesuffix(' &')} --port {port}", tmp_path) as printed:
        with EmulatorClient(printed.split()[-1], ca_file=str(tmp_path / "ca.pem")) as emulator:
            emulator.put_file("robot@example.com", "/a.csv", b"1")
        listed = shell(use.replace("8580", str(port)), tmp_path)
    assert set(listed.splitlines()) == {"Inbox/", "Outbox/", "Trash/", "a.csv"}


def test_a_server_of_ones_own(capfd: pytest.CaptureFixture[str]) -> None:
    text = block("emulator.md", "from airflow_provider_quatrix.emulator.service.accounts")
    exec(compile(text, "emulator.md", "exec"), {})  # noqa: S102 - the page's own text
    # Airflow 2 logs there too.
    assert re.search(r"^https://127\.0\.0\.1:\d+ \S+\.pem$", capfd.readouterr().out, re.MULTILINE)


MANY_TESTS = """
import pytest

from airflow_provider_quatrix.hooks.quatrix import QuatrixHook


@pytest.mark.parametrize("number", range(14))
def test_again(number, quatrix_emulator, quatrix_connection):
    quatrix_connection(extra={"read_timeout": 30 + number % 3})
    assert QuatrixHook(quatrix_connection).exists("/Inbox")
    assert quatrix_emulator.logins == 1
"""


def test_the_tests_on_the_emulators_page_pass(tmp_path: Path) -> None:
    files = markdown.files(markdown.ROOT / "docs" / "testing.md")
    (tmp_path / "conftest.py").write_text(files["conftest.py"])
    samples = [
        each.text
        for each in markdown.code_blocks(markdown.ROOT / "docs" / "emulator.md")
        if each.language == "python" and "def test_" in each.text
    ]
    for number, sample in enumerate(samples):
        (tmp_path / f"test_{number}.py").write_text(sample)
    # More tests than logins are allowed in 15 minutes, with connections that differ.
    (tmp_path / "test_many.py").write_text(MANY_TESTS)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW", "PYTEST"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{''.join(samples).count('def test_') + 14} passed" in done.stdout


# Metrics and object storage


def test_airflow_knows_the_options_of_metrics() -> None:
    from airflow.configuration import conf

    sample = configparser.ConfigParser()
    sample.read_string(block("metrics.md", "[metrics]"))
    assert sample.sections() == ["metrics"]
    assert set(sample["metrics"]) <= set(conf.configuration_description["metrics"]["options"])


def test_the_dashboard_asks_for_metrics_that_are_sent() -> None:
    page = markdown.ROOT / "docs" / "metrics.md"
    sent = {
        row[0].strip("`").replace(".", "_"): markdown.names_in(row[2]) for row in markdown.table_with(page, "Metric")
    }
    text = block("metrics.md", "# Files per hour")
    queries = [line for line in text.splitlines() if line and not line.startswith("#")]
    for query in queries:
        (name,) = re.findall(r"airflow_(quatrix_\w+)", query)
        (tags,) = re.findall(r"by \(([^)]+)\)", query)
        assert set(tags.split(", ")) <= sent[name], query
    assert len(queries) == 5


def test_the_file_system_works_without_airflow(quatrix_emulator: EmulatorClient) -> None:
    quatrix_emulator.put_file(EMAIL, "/a.csv", b"1")
    text = block("object-storage.md", "from airflow_provider_quatrix.api")
    names: dict[str, Any] = {"password": PASSWORD}
    exec(compile(text.replace("https://acme.quatrix.it", quatrix_emulator.url), "page", "exec"), names)  # noqa: S102 - the page's own text
    assert names["fs"].cat("/a.csv") == b"1"
