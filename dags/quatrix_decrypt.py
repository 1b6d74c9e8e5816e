"""Decrypt a partner's PGP files as they arrive.

Shows how to work on files between Quatrix and Quatrix in one task. What is in the clear lies on the worker's disk only
while the task runs. A file that is damaged, or that the key cannot decrypt, fails its own task and no other.

Needs ``gpg`` on the workers, the connection ``quatrix_default``, a running triggerer, and a connection ``pgp_key``. Its
password is the passphrase of the key, its extra holds the folder of the key ring: ``{"homedir": "/opt/gnupg"}``.
"""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseHook, task

with DAG(
    "quatrix_decrypt",
    schedule=None,
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["quatrix"],
    doc_md=__doc__,
):

    @task.quatrix_file_sensor(path="/partner/encrypted/*.pgp", min_age=60, poke_interval=30, deferrable=True)
    def arrived(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the files that have arrived."""
        return files

    # [START howto_recipe_pgp]
    @task
    def decrypt(file: dict[str, Any]) -> str:
        """Put a file into the folder of clear ones, and the encrypted one into the archive."""
        from airflow_provider_quatrix.hooks.quatrix import QuatrixHook

        hook, key = QuatrixHook("quatrix_default"), BaseHook.get_connection("pgp_key")
        with TemporaryDirectory() as folder:
            (encrypted,) = hook.download(file, f"{folder}/")
            clear = Path(encrypted.path).with_suffix("")
            command = ["gpg", "--batch", "--homedir", key.extra_dejson["homedir"], "--pinentry-mode", "loopback"]
            command += ["--passphrase-fd", "0", "--output", str(clear), "--decrypt", encrypted.path]
            done = subprocess.run(command, input=key.password, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                # What gpg has written by then is not all, or not what the partner wrote.
                raise AirflowFailException(f"{file['path']} cannot be decrypted: {done.stderr.strip()}")
            (stored,) = hook.upload(clear, "/partner/clear/", create_parents=True, if_exists="overwrite")
        hook.move_many(file, "/partner/archive/", create_parents=True, if_exists="rename")
        return stored.path

    # [END howto_recipe_pgp]

    decrypt.expand(file=arrived())
