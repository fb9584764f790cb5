# SPDX-License-Identifier: MIT
"""Uses of the entries that carry messages: codecs, rings, routers, histories."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import Any

from perfcore import _core
from perfcore.messaging import Empty, Message, PriorityRing, Ring, Router, ShmRing

from .table import LONG, Use, case, look

PLAIN = {
    "a": list((1, -2.5, "é", None, True, 2**40)),  # noqa: C410
    "b": {"c": []},
}
# More of each than is laid out on the stack: keys, text, digits.
LARGE = {f"key {i}": "x" * i for i in range(100)}
LONG_NUMBER = b"0." + b"12" * 1000


@case
def codecs() -> Use:
    ways: list[tuple[Any, Any, tuple[bytes, ...]]] = [
        (_core.json_dumps, _core.json_loads, (b"", b"[1", b'"\\ud800"', b"[" * 3000)),
        (_core.cjson_dumps, _core.cjson_loads, (b"", b"[1", b"[" * 3000)),
        (_core.msgpack_dumps, _core.msgpack_loads, (b"", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\x91" * 3000)),
    ]

    def use() -> None:
        for dumps, loads, wrong in ways:
            for data in (PLAIN, LARGE):
                assert loads(dumps(data)) == data
            with contextlib.suppress(TypeError, ValueError):
                dumps([1, object()])
            for text in wrong:
                with contextlib.suppress(ValueError):
                    loads(text)
        assert _core.json_loads(LONG_NUMBER) == _core.cjson_loads(LONG_NUMBER) == float(LONG_NUMBER)
        # What the profiler sees is a call by name.
        _core.json_loads(_core.json_dumps(1))
        _core.cjson_loads(_core.cjson_dumps(1))
        _core.msgpack_loads(_core.msgpack_dumps(1))

    return use


def use_ring(ring: Any) -> None:
    ring.put({"a": 1})
    ring.put_nowait([1])
    ring.put_many((1, 2, 3), timeout=LONG)
    ring.get_many(2, True, LONG)
    ring.get_nowait()
    ring.get(timeout=LONG)
    ring.get_many()
    with contextlib.suppress(Empty):
        raise AssertionError(ring.get(timeout=1e-6))
    ring.qsize(), ring.empty()
    look(ring)


def rings(kind: Any) -> Use:
    shared = kind(8)
    shared.put(b"stays")

    def use() -> None:
        ring = kind(8)
        use_ring(ring)
        ring.full()
        ring._arm(bool, True, False)
        ring._disarm(bool, True)
        while ring.unfinished_tasks:
            ring.task_done()
        ring.join()
        ring.close()
        if shared.qsize() > 7:  # what uses that an exception ended have left
            shared.get_many()
        shared.put_nowait(b"more")  # before the other: an exception between the two leaves more, never less
        shared.get_nowait()

    return use


@case
def ring() -> Use:
    return rings(Ring)


@case
def priority_ring() -> Use:
    return rings(PriorityRing)


@case
def shm_ring() -> Use:
    shared = ShmRing[Any](size=4096)
    shared.put(b"stays")

    def use() -> None:
        with ShmRing[Any](size=65536) as made:
            use_ring(made)
            made.put(PLAIN)
            assert made.get() == PLAIN
            made.users(), made.fileno()
            made.__enter__().close()
        with _core.ShmRing[Any](size=4096) as bare:
            bare._bind(str.encode, None, bytes.decode)
            bare.put("x")
            bare._watch(True, bare._position(True))  # there is one to get, so it returns at once
            bare._pass_on(True)
            bare.get()
            bare.detach()
            bare._forked()
            bare._release()
        if shared.qsize() > 1:  # as in a ring
            shared.get_many()
        shared.put(b"more", timeout=LONG)
        shared.get(timeout=LONG)
        with contextlib.suppress(ValueError):
            _core.ShmRing("a/b")

    return use


@case
def awaiting() -> Use:
    def quiet_loop() -> asyncio.AbstractEventLoop:
        made = asyncio.new_event_loop()
        made.set_exception_handler(lambda _loop, _context: None)
        made.set_debug(False)  # development mode complains of slow machines
        return made

    loop = quiet_loop()

    async def talk() -> None:
        for kind in (Ring, PriorityRing):
            ring: Any = kind(1)
            getter = asyncio.ensure_future(ring.aget_many())
            lost = asyncio.ensure_future(ring.aget())
            await asyncio.sleep(0)
            lost.cancel()
            await ring.aput(object())
            await getter
            await ring.aput(object())
            await ring.aget()
            _core.Ring.aget(ring).close()
            with contextlib.suppress(LookupError):
                _core.Ring.aget(ring).throw(LookupError())

    def use() -> None:
        nonlocal loop
        task = loop.create_task(talk())
        try:
            loop.run_until_complete(task)
        except BaseException:  # of a signal, anywhere in asyncio: what it leaves of the loop is no test of ours
            for each in (task, *asyncio.all_tasks(loop)):
                each.cancel()
            loop.close()
            loop = quiet_loop()
            raise

    def end() -> None:
        loop.close()

    weakref.finalize(use, end).atexit = False  # a daemon thread may be running it then
    return use


@case
def router() -> Use:
    def receive(message: object) -> None:
        pass

    def build() -> Any:
        made = Router()
        for name in ("a", "b"):
            made.add(name, maxsize=4, policy="drop_oldest")
            made.subscribe(name, "t/+")
        made.add("c", receive)
        return made

    shared = build()
    message = Message("a", "b", "t/1")

    def use() -> None:
        one = build()
        for each in (one, shared):
            each.send("c", 1)
            each.send_many(["a", "b"], [1, 2])
            each.send_next(1)
            each.send_next_many([1, 2])
            each.send_hashed("key", 1)
            each.send_hashed_many(["key", b"key"], [1, 2])
            each.publish("t/1", 1)
            each.publish_many(["t/1", "u"], [1, 2])
            each.broadcast(1)
            each.broadcast_many([1, 2])
            each.route(message)
            each.route_many([message, message])
            for endpoint in each.endpoints:
                look(endpoint)
        one.unsubscribe("a", "t/+")
        one.remove("b")
        with contextlib.suppress(LookupError, ValueError):
            one.send("none", 1)
        look(one)

    return use


@case
def messages() -> Use:
    history = _core.MessageHistory(20)
    history.append(Message("a", "b", "t/1", PLAIN))

    def use() -> None:
        one = Message("a", "b", "t/1", [1])
        assert one.__reduce__() and one.__copy__() == one  # noqa: PT018
        look(one)
        _core.json_dumps(one), _core.msgpack_dumps(one)
        kept = _core.MessageHistory()
        kept.extend([one] * 30)
        kept.append(one)
        for each in (kept, history):
            each.query(agent="a", topic="t/+", limit=3)
            each.query(sender="a", recipient="b", since=0, until=2**62)
            for _ in each:
                pass
            look(each)
        assert kept[-1] is one
        kept.clear()
        history.append(one)

    return use
