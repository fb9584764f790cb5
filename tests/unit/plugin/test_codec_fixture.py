# SPDX-License-Identifier: MIT
"""The `codec` fixture of the plugin."""

from __future__ import annotations

import pytest

from perfcore.codecs import Codec, codec_names


def test_is_json_unless_told(codec: Codec) -> None:
    assert codec.name == "json"
    assert codec.loads(codec.dumps({"a": 1})) == {"a": 1}


@pytest.mark.parametrize("codec", codec_names(), indirect=True)
def test_is_what_the_test_asks_for(codec: Codec, request: pytest.FixtureRequest) -> None:
    assert codec.name == request.node.callspec.params["codec"]
    assert codec.loads(codec.dumps([1, "é"])) == [1, "é"]
