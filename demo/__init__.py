"""Runs the provider in a real Airflow, for the demo, the benchmarks and the tests."""

from __future__ import annotations
