"""The calls of the API, one module per group, and the control calls."""

from __future__ import annotations
