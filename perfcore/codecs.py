# SPDX-License-Identifier: MIT
"""JSON, MessagePack and pickle on one interface: ``get_codec(name)`` gives ``dumps`` and ``loads``.

What a codec of ours gives back equals what it was given, or it refuses with `EncodeError`: only tuples become lists.

========= ============================================================================================================
name      holds
========= ============================================================================================================
json      None, bool, int to 4300 digits, finite float (shortest text that reads back the same), str, list, tuple, dict
          with str keys, `perfcore.messaging.Message` (as ``{"perfcore.Message": {its fields}}``). Input is strict:
          UTF-8, no NaN, no lone surrogate, no key twice, nothing after the value.
msgpack   The same with any key but a tuple, and any float; int from -2**63 to 2**64 - 1; bytes, bytearray, memoryview
          (back as bytes); `Timestamp`, `Extension`, Message (extension 77: an array of sender, recipient, topic,
          payload, id, timestamp).
cjson     As json, through the cJSON library's tree, to measure the difference; no Message, no NUL character in a
          string, and int only within the range of float.
pickle    What pickle holds, with pickle's own errors. Loading runs code that the data choose: for trusted data only.
========= ============================================================================================================

Subclasses of str, int, float, list, tuple and dict are encoded as what they derive from; 200 levels deep at most.
"""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from perfcore._core import cjson_dumps, cjson_loads, json_dumps, json_loads, msgpack_dumps, msgpack_loads
from perfcore.errors import CodecError, DecodeError, EncodeError

__all__ = ["Codec", "CodecError", "DecodeError", "EncodeError", "Extension", "Timestamp", "codec_names", "get_codec"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A moment as MessagePack has it: whole seconds since 1970 (UTC, may be negative) and 0 to 999 999 999 ns more."""

    seconds: int
    nanoseconds: int = 0

    @classmethod
    def from_datetime(cls, moment: datetime) -> Timestamp:
        """Return the moment of an aware datetime, exactly. ValueError for a naive one, whose moment is not known."""
        if moment.utcoffset() is None:
            raise ValueError(f"{moment!r} has no time zone; give it one, such as datetime.UTC")
        seconds, rest = divmod(moment - _EPOCH, timedelta(seconds=1))
        return cls(seconds, rest.microseconds * 1000)

    def to_datetime(self) -> datetime:
        """Return the datetime in UTC. ValueError where datetime has no such moment (nanoseconds; far years)."""
        if self.nanoseconds % 1000:
            raise ValueError(f"{self} is no whole number of microseconds, which is what datetime can hold")
        try:
            return _EPOCH + timedelta(seconds=self.seconds, microseconds=self.nanoseconds // 1000)
        except OverflowError:
            raise ValueError(f"{self} is outside the years 1 to 9999, which is what datetime can hold") from None


@dataclass(frozen=True, slots=True)
class Extension:
    """A MessagePack extension: a type from -128 to 127 (not -1, `Timestamp`, nor 77, Message) and its bytes."""

    type: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Codec:
    """One format. ``dumps(value)`` gives bytes, ``loads(data)`` a value."""

    name: str
    dumps: Callable[[Any], bytes]
    loads: Callable[[Any], Any]
    trusted_only: bool = False  #: loading runs code that the data choose


_CODECS = {
    "json": Codec("json", json_dumps, json_loads),
    "msgpack": Codec("msgpack", msgpack_dumps, msgpack_loads),
    "cjson": Codec("cjson", cjson_dumps, cjson_loads),
    "pickle": Codec("pickle", functools.partial(pickle.dumps, protocol=5), pickle.loads, trusted_only=True),
}


def codec_names() -> tuple[str, ...]:
    """Return the names that `get_codec` knows."""
    return tuple(_CODECS)


def get_codec(name: str) -> Codec:
    """Return the codec of this name; ValueError for another name."""
    try:
        return _CODECS[name]
    except KeyError:
        raise ValueError(f"no codec is called {name!r}; there are {', '.join(_CODECS)}") from None
