"""Benchmarks: the provider against what a user would take instead, on the same emulator in the same run."""
