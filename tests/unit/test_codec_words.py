# SPDX-License-Identifier: MIT
"""The short texts that the codecs' readers keep: shared where they repeat, and never taken for one another."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore.codecs import DecodeError, get_codec

CODECS = ("json", "msgpack")
PLACES = 1024  # of csrc/ext/workload/codec_words.h
LONGEST = 64

# Texts that differ in one byte, mostly behind the first eight and before the last eight.
alike = st.builds(
    lambda length, at, byte: "".join(byte if index == at else "-" for index in range(length)),
    st.integers(0, 70),
    st.integers(0, 70),
    st.sampled_from("-a\x00\x7f\u00e9\u20ac"),
)


def through(name: str, value: Any) -> Any:
    codec = get_codec(name)
    return codec.loads(codec.dumps(value))


@pytest.mark.parametrize("name", CODECS)
def test_what_repeats_is_shared(name: str) -> None:
    for length in (2, 3, 4, 7, 8, 15, 16, 17, 31, LONGEST):
        text = f"{length:02}" + "x" * (length - 2)
        _, kept, again, table = through(name, [text, text, text, {text: text}])
        assert kept == text
        assert again is kept
        assert next(iter(table)) is kept  # keys and values are of one kind
        assert table[text] is kept
        assert through(name, text) is kept  # in the next call too
    long = "y" * (LONGEST + 1)
    texts = through(name, [long] * 4)
    assert len({id(text) for text in texts}) == 4


@pytest.mark.parametrize("name", CODECS)
def test_what_never_repeats_pushes_nothing_out(name: str) -> None:
    kept = through(name, ["shared for long"] * 3)[-1]
    for base in range(0, 20 * PLACES, 1000):
        unique = [f"{name} {number}" for number in range(base, base + 1000)]
        assert through(name, unique) == unique
    assert through(name, "shared for long") is kept


@pytest.mark.parametrize("name", CODECS)
def test_more_texts_than_places(name: str) -> None:
    draw = random.Random(7)
    texts = ["".join(draw.choices("abcdefgh-/", k=draw.randrange(LONGEST + 4))) for _ in range(4 * PLACES)]
    for _ in range(3):
        assert through(name, texts) == texts
        table = {text: number for number, text in enumerate(texts)}
        assert through(name, table) == table


@settings(deadline=None, max_examples=200)
@given(texts=st.lists(alike, max_size=12))
def test_texts_that_are_nearly_alike(texts: list[str]) -> None:
    for name in CODECS:
        for _ in range(3):
            assert through(name, texts) == texts


def test_bytes_that_are_no_text_are_no_word() -> None:
    for name, wrong in (("json", b'"%s"'), ("msgpack", b"\xaf%s")):
        assert through(name, ["fifteen bytes.."] * 3) == ["fifteen bytes.."] * 3
        for at in range(15):
            text = bytearray(b"fifteen bytes..")
            text[at] |= 0x80
            with pytest.raises(DecodeError, match="UTF-8"):
                get_codec(name).loads(wrong % bytes(text))
