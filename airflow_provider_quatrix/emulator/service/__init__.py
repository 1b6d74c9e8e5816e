"""The rules of the service, without HTTP."""

from __future__ import annotations
