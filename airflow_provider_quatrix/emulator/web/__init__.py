"""HTTP that all routes share: middleware, credentials, bodies, parameters."""

from __future__ import annotations
