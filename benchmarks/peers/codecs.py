# SPDX-License-Identifier: MIT
"""Rows about the codecs: agent messages to JSON and MessagePack and back."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from benchmarks.conftest import Message, make_messages
from benchmarks.peers.harness import OURS, Case, Context, row
from benchmarks.peers.spread import TimesLess

MESSAGES = 100
PASSES = 20
SMALL: Message = {
    "id": 17,
    "sender": "agent-03",
    "receiver": "agent-07",
    "topic": "world.sensor.visual",
    "payload": {"observation": [3, 1], "action": "up", "value": 0.25, "done": False},
}


def fresh_messages(count: int) -> list[Message]:
    """Return small messages whose texts, unlike those of agents, never come twice: what a reader keeps is no use."""
    draw = random.Random(20240301)
    messages: list[Message] = []
    for _ in range(count):
        sender, receiver, topic, action = (
            f"{name}-{draw.getrandbits(48):x}" for name in ("from", "to", "topic", "act")
        )
        payload = {**SMALL["payload"], "action": action}
        messages.append({**SMALL, "sender": sender, "receiver": receiver, "topic": topic, "payload": payload})
    return messages


Way = tuple[Callable[[Any], Any], Callable[[Any], Any]]  # dumps, loads


def json_ways(context: Context) -> dict[str, Way]:
    """Return the contenders for JSON, each in its fastest documented form."""
    import json

    from perfcore.codecs import get_codec

    ours = get_codec("json")
    ways: dict[str, Way] = {OURS: (ours.dumps, ours.loads), "json": (json.dumps, json.loads)}
    if context.has("orjson"):
        import orjson  # type: ignore[import-not-found, unused-ignore]

        ways["orjson"] = (orjson.dumps, orjson.loads)
    if context.has("msgspec"):
        import msgspec  # type: ignore[import-not-found, unused-ignore]

        ways["msgspec"] = (msgspec.json.Encoder().encode, msgspec.json.Decoder().decode)
    return ways


def msgpack_ways(context: Context) -> dict[str, Way]:
    """Return the contenders for MessagePack, each in its fastest documented form."""
    from perfcore.codecs import get_codec

    ours = get_codec("msgpack")
    ways: dict[str, Way] = {OURS: (ours.dumps, ours.loads)}
    if context.has("msgspec"):
        import msgspec

        ways["msgspec"] = (msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode)
    if context.has("msgpack"):
        import msgpack  # type: ignore[import-not-found, import-untyped, unused-ignore]

        ways["msgpack"] = (msgpack.packb, msgpack.unpackb)
    return ways


def nanoseconds(function: Callable[[Any], Any], values: list[Any], passes: int) -> float:
    """Return the time of one call, over all values."""
    start = perf_counter()
    for _ in range(passes):
        for value in values:
            function(value)
    return (perf_counter() - start) * 1e9 / (passes * len(values))


def cases(context: Context, ways: dict[str, Way]) -> Iterator[Case]:
    """Compare encoding, and decoding of the same bytes, for small messages and for those of the suites."""
    several = 2 if context.quick else PASSES
    for label, messages, passes in (
        ("small message", [SMALL] * MESSAGES, several),
        ("agent message", make_messages(MESSAGES), several),
        ("message of fresh texts", fresh_messages(MESSAGES * several), 1),
    ):
        encoded = [ways[OURS][0](message) for message in messages]
        for name, (dumps, loads) in ways.items():
            if [loads(data) for data in encoded] != messages or [loads(dumps(one)) for one in messages] != messages:
                raise RuntimeError(f"{name} does not give the {label} back")
        note = f"{sum(map(len, encoded)) // len(encoded)} bytes; the time contains a Python loop of one call"
        for direction, values in enumerate((messages, encoded)):
            timers = {
                name: lambda call=way[direction], values=values, passes=passes: nanoseconds(call, values, passes)  # type: ignore[misc]
                for name, way in ways.items()
            }
            word = ("encode", "decode")[direction]
            yield Case(f"{word} {label}", context.interleave(timers), note=note)


@row(
    "json",
    unit="ns",
    peers=("orjson", "msgspec", "json"),
    target={"orjson": TimesLess(1), "msgspec": TimesLess(1)},
)
def json_row(context: Context) -> Iterator[Case]:
    """Encode and decode messages as JSON."""
    yield from cases(context, json_ways(context))


@row("msgpack", unit="ns", peers=("msgspec", "msgpack"), target={"msgspec": TimesLess(1.2)})
def msgpack_row(context: Context) -> Iterator[Case]:
    """Encode and decode messages as MessagePack."""
    yield from cases(context, msgpack_ways(context))
