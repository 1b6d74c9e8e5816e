"""The suites that fsspec brings for all file systems."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

import pytest
from fsspec.tests import abstract

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_quatrix.fs.quatrix import QuatrixFileSystem


class QuatrixFixtures(abstract.AbstractFixtures):
    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return posixpath.join

    @pytest.fixture
    def fs_path(self, fs: QuatrixFileSystem) -> str:
        fs.mkdir("/area")
        return "/area"

    @pytest.fixture
    def fs(self, fs: QuatrixFileSystem) -> QuatrixFileSystem:
        return fs


class TestCopy(abstract.AbstractCopyTests, QuatrixFixtures):
    pass


class TestGet(abstract.AbstractGetTests, QuatrixFixtures):
    pass


class TestPut(abstract.AbstractPutTests, QuatrixFixtures):
    pass


class TestOpen(abstract.AbstractOpenTests, QuatrixFixtures):
    pass


class TestPipe(abstract.AbstractPipeTests, QuatrixFixtures):
    pass
