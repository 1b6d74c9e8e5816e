"""Runs docker/docker-compose.yaml with every service as a host of its own, without containers."""

from __future__ import annotations
