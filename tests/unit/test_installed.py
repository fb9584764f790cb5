# SPDX-License-Identifier: MIT
"""What is tested is what was installed: not the checkout, where the extension may be missing or of another build."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import perfcore
import perfcore._core


@pytest.mark.skipif("PERFCORE_TEST_INSTALLED" not in os.environ, reason="only tests/run.sh says what is to be tested")
def test_the_package_comes_from_the_build_under_test() -> None:
    for module in (perfcore, perfcore._core):
        assert module.__file__ is not None
        assert Path(module.__file__).is_relative_to(os.environ["PERFCORE_TEST_INSTALLED"])
