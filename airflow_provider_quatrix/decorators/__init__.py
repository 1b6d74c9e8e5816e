"""Quatrix task decorators."""
