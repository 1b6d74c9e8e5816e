# Everything a developer and CI run. Needs only make and Python >= 3.11; the rest is installed into .venv-*.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3

.venv-%/.installed: setup.cfg pyproject.toml constraints/airflow-%.txt
	test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-$*/bin/uv pip install --quiet --python .venv-$*/bin/python --constraint constraints/airflow-$*.txt \
		"apache-airflow==$$(sed -n 's/^apache-airflow==//p' constraints/airflow-$*.txt)" \
		--editable '.[emulator,test,lint,bench]'
	touch $@
