from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from airflow import __version__ as airflow_version

from airflow_provider_quatrix.sessions.stores import (
    UPLOAD_PREFIX,
    VARIABLE_PREFIX,
    MemoryStore,
    SessionStore,
    VariableStore,
    account_name,
    session_store,
    uploads_of,
)
from airflow_provider_quatrix.sessions.variables import AirflowVariable

try:
    from airflow._shared.secrets_masker.secrets_masker import DEFAULT_SENSITIVE_FIELDS
except ImportError:  # Airflow 2
    from airflow.utils.log.secrets_masker import DEFAULT_SENSITIVE_FIELDS

HERE = Path(__file__).parent


def check_contract(store: SessionStore, again: SessionStore, other: SessionStore) -> None:
    assert store.read() is None
    store.write("one")
    store.write("two")
    assert (store.read(), again.read(), other.read()) == ("two", "two", None)
    again.delete()
    again.delete()
    assert store.read() is None


def test_memory() -> None:
    check_contract(session_store("memory", "a"), session_store("memory", "a"), session_store("memory", "b"))
    assert isinstance(session_store("memory", "a"), MemoryStore)


def test_a_class_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUATRIX_TEST_STORE", str(tmp_path))
    path = "killed_tries.FileStore"
    check_contract(session_store(path, "a"), session_store(path, "a"), session_store(path, "b"))


def test_a_variable_by_name() -> None:
    store = session_store("variable", "acme")
    assert isinstance(store, AirflowVariable)
    assert store.name == "quatrix_session__acme"


@pytest.mark.parametrize(
    ("base_url", "login", "team", "begins"),
    [
        ("https://acme.quatrix.it", "robot@acme.example", "", "acme.quatrix.it__robot_acme.example__"),
        ("https://acme.quatrix.it", "ROBOT@acme.example", "", "acme.quatrix.it__robot_acme.example__"),
        ("http://127.0.0.1:8580", "a b/c?d#e", "red team", "127.0.0.1_8580__a_b_c_d_e__red_team__"),
    ],
)
def test_an_account_has_a_name_that_a_person_recognises(base_url: str, login: str, team: str, begins: str) -> None:
    name = account_name(base_url, login, team)
    assert name.startswith(begins)
    assert len(name) == len(begins) + 8


@pytest.mark.parametrize("word", sorted(DEFAULT_SENSITIVE_FIELDS))
def test_no_name_has_a_word_by_which_airflow_masks(word: str) -> None:
    user = f"the-{word.upper()}-robot@acme.example"
    names = [
        VARIABLE_PREFIX + account_name("https://acme.quatrix.it", user),
        VARIABLE_PREFIX + account_name(f"https://{word}s.acme.example", "robot", f"team {word}"),
        UPLOAD_PREFIX + uploads_of(f"quatrix_{word}"),
    ]
    # Airflow compares in lower case.
    assert [name for name in names if any(each in name.lower() for each in DEFAULT_SENSITIVE_FIELDS)] == []
    assert names[0].startswith("quatrix_session__acme.quatrix.it__")
    assert names[1].startswith("quatrix_session__robot__")
    assert uploads_of(f"quatrix_{word}") != uploads_of(f"quatrix-{word}")


def test_accounts_and_teams_have_names_of_their_own() -> None:
    names = [
        account_name(*parts)
        for parts in (
            ("https://acme.quatrix.it", "robot@acme.example"),
            ("http://acme.quatrix.it", "robot@acme.example"),
            ("https://acme.quatrix.it", "robot_acme.example"),
            ("https://acme.quatrix.it", "robot@acme.example", "red"),
            ("https://" + 300 * "x", 300 * "y", 300 * "z"),
        )
    ]
    assert len(set(names)) == 5
    # Airflow allows 250 characters.
    assert max(map(len, names)) < 230


def test_a_variable_is_kept_somewhere_whatever_this_process_may_do() -> None:
    check_contract(VariableStore("q_token__a"), VariableStore("q_token__a"), VariableStore("q_token__b"))


@pytest.mark.parametrize(
    "setting",
    ["", "Variable", "no_such_module.Store", "os.no_such_class", "os.path", "broker_setup.CountingStore", "...", "a."],
)
def test_a_class_that_is_none_is_named_with_the_option(setting: str) -> None:
    with pytest.raises(ValueError, match=r"\[quatrix\] session_store is") as error:
        session_store(setting, "acme")
    assert repr(setting) in str(error.value)
    assert "AIRFLOW__QUATRIX__SESSION_STORE" in str(error.value)


_OUTSIDE = """
import json, logging
lines = []
class Collect(logging.Handler):
    def emit(self, record):
        lines.append([record.name, record.levelno, record.getMessage()])
logging.getLogger("airflow_provider_quatrix").addHandler(Collect())
logging.getLogger("airflow_provider_quatrix").setLevel(logging.DEBUG)
from airflow_provider_quatrix.sessions.stores import VariableStore
store, again, other = VariableStore("q_token__a"), VariableStore("q_token__a"), VariableStore("q_token__b")
seen = [store.read()]
store.write("one")
store.write("two")
seen += [store.read(), again.read(), other.read()]
again.delete()
again.delete()
seen += [store.read()]
print(json.dumps({"seen": seen, "lines": [l for l in lines if l[0].startswith("airflow_provider_quatrix")]}))
"""


def test_outside_a_task_the_record_stays_in_memory(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    environment |= {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path / 'none.db'}",
    }
    done = subprocess.run(
        [sys.executable, "-c", _OUTSIDE], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told["seen"] == [None, "two", "two", None, None]
    assert {level for _, level, _ in told["lines"]} == {20}
    # Each of the three stores says so once.
    assert 1 <= len(told["lines"]) <= 3
    assert all("in the memory of this process" in line for _, _, line in told["lines"])
    assert "two" not in json.dumps(told["lines"])


# In a process of its own, which has all tables of Airflow. It reads Variables as the API server and the triggerer do.
_VERSIONS = """
import sys
import airflow.models.dag
from airflow.models.variable import Variable
from airflow_provider_quatrix.sessions.stores import UPLOAD_PREFIX, VARIABLE_PREFIX

def kept():
    makers = [getattr(module, "_secrets_masker", None) for name, module in list(sys.modules.items())
              if name.endswith(".secrets_masker")]
    return {pattern for make in makers if make for pattern in make().patterns}

def read_versions_of(name):
    for text in ("first version", "second version"):
        Variable.set(name, text)
        assert Variable.get(name) == text
    Variable.delete(name)

known = kept()
for prefix in (VARIABLE_PREFIX, UPLOAD_PREFIX):
    read_versions_of(prefix + "acme")
assert kept() == known
# As it is for a name by which Airflow masks.
read_versions_of("quatrix_token__acme")
assert len(kept() - known) == 2
"""


def test_versions_of_a_record_do_not_fill_the_masker(airflow_db: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _VERSIONS], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


# The name has a word by which Airflow masks.
_DATABASE_VERSIONS = """
import airflow.models.dag
from airflow.utils.log.secrets_masker import _secrets_masker
from airflow_provider_quatrix.sessions.stores import session_store
store = session_store("variable", "token_versions")
known = set(_secrets_masker().patterns)
for text in ("first version", "second version"):
    store.write(text)
    assert session_store("variable", "token_versions").read() == text
assert _secrets_masker().patterns == known
store.delete()
assert store.read() is None
"""


@pytest.mark.skipif(not airflow_version.startswith("2."), reason="tasks of Airflow 3 do not read the database")
def test_a_record_that_is_read_from_the_database_is_never_masked(airflow_db: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _DATABASE_VERSIONS], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
