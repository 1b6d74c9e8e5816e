"""Quatrix sensors."""
