"""Quatrix notifiers."""
