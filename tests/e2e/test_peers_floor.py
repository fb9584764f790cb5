# SPDX-License-Identifier: MIT
"""The league's floor: what the kernel alone takes, by a piece of C that is compiled for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.peers import kernel_floor


@pytest.fixture
def anew() -> Iterator[None]:
    kernel_floor._library.cache_clear()
    yield
    kernel_floor._library.cache_clear()


def test_the_kernel_takes_some_time(anew: None) -> None:
    if not kernel_floor.is_known():
        pytest.skip("no C compiler")
    assert 0 < kernel_floor.statm_us(100) < 1e6
    assert 0 < kernel_floor.sleeper_percent(0.02) <= 100.5


def test_without_a_compiler_the_rows_go_without(anew: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert not kernel_floor.is_known()
    with pytest.raises(RuntimeError, match="no C compiler"):
        kernel_floor.statm_us(1)
    with pytest.raises(RuntimeError, match="no C compiler"):
        kernel_floor.sleeper_percent(0.01)
