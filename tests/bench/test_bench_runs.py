"""The benches run, with numbers so small that they say nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from bench.__main__ import BENCHES, main
from bench.listing import tree_of

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "bench" / "dags"
needs_airflow_3 = pytest.mark.skipif(
    version("apache-airflow").startswith("2."), reason="this bench measures on Airflow 3 only"
)


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
    )


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("import", marks=needs_airflow_3),
        "large",
        "small",
        "mirror",
        "listing",
        "memory",
    ],
)
def test_a_bench_runs_in_small(name: str) -> None:
    done = bench(name, "--quick")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| Figure | Subject | Median | Min-max | Ratio |" in done.stdout
    assert "- Goal met: " in done.stdout or name == "listing"


@needs_airflow_3
@pytest.mark.parametrize(
    ("folder", "sizes", "tasks"),
    [
        ("logins", {"BENCH_TASKS": "3"}, {"bench_logins_shared": 1, "bench_logins_basic": 1}),
        (
            "waiting",
            {"BENCH_RUNS": "2", "BENCH_WAITS_PER_RUN": "3", "BENCH_INTERVAL": "5", "BENCH_SESSION": "none"},
            {"bench_waiting_sign_in": 1, "bench_waiting_captcha_sensor": 3, "bench_waiting_http_sensor": 3},
        ),
    ],
)
def test_the_dags_of_a_bench_load(folder: str, sizes: dict[str, str], tasks: dict[str, int]) -> None:
    program = (
        "import sys; from airflow.dag_processing.dagbag import DagBag; bag = DagBag(sys.argv[1]); "
        "assert not bag.import_errors, bag.import_errors; "
        "print(sorted((dag_id, len(dag.tasks)) for dag_id, dag in bag.dags.items()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(DAGS / folder)],
        env=os.environ | sizes,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == str(sorted(tasks.items()))


def test_an_unknown_bench_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["speed"])
    assert f"there is no bench speed: choose from {', '.join(BENCHES)}" in capsys.readouterr().err


def test_small_numbers_are_never_written_down(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import", "--quick", "--write"])
    assert "--quick measures nothing" in capsys.readouterr().err


def test_a_tree_has_its_folders_below_each_other() -> None:
    paths = tree_of(45)
    assert len(set(paths)) == 45
    assert paths[0] == "/tree/folder-0/"
    assert paths[44] == "/tree/folder-1/folder-44/"
    assert {path.rsplit("/", 2)[0] + "/" for path in paths} <= {*paths, "/tree/"}
