# SPDX-License-Identifier: MIT
"""A small suite to run under every option of pytest-benchmark."""

import time

import pytest


@pytest.mark.parametrize("size", [10, 100])
def test_sorted(benchmark, size):
    assert benchmark(sorted, list(range(size))) == list(range(size))


@pytest.mark.benchmark(group="sleeping")
def test_sleep(benchmark):
    benchmark.extra_info["slept"] = 0.001
    benchmark.pedantic(time.sleep, (0.001,), rounds=6, iterations=2)


def test_fails(benchmark):
    benchmark(lambda: 1 / 0)


def test_without():
    assert True
