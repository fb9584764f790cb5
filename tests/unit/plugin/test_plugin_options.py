# SPDX-License-Identifier: MIT
"""Values of the plugin's options."""

import argparse

import pytest

from perfcore.pytest_plugin.options import COLUMNS, parse_columns, parse_precision


@pytest.mark.parametrize(
    ("text", "value"),
    [("1%", 0.01), ("0.01", 0.01), (" 2.5 % ", 0.025), ("99.9%", 0.999), ("1e-3", 0.001), (".5", 0.5)],
)
def test_precision(text, value):
    assert parse_precision(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "%", "one", "0", "0%", "1", "100%", "-1%", "nan", "nan%", "inf", "1%%", "2"])
def test_precision_refused(text):
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        parse_precision(text)
    assert repr(text) in str(caught.value)
    assert "1% or 0.01" in str(caught.value)


def test_columns():
    assert parse_columns("p50, ci,kernel") == ("p50", "ci", "kernel")
    assert parse_columns(",".join(COLUMNS)) == COLUMNS


@pytest.mark.parametrize("text", ["", "p51", "p50,", "P50", "p50 ci"])
def test_columns_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="the columns are p50, p90"):
        parse_columns(text)
