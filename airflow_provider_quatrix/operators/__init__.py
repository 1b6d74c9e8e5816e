"""Quatrix operators."""
