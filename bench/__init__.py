"""Benchmarks: the provider against what a user would use instead, on the same emulator in the same run."""
