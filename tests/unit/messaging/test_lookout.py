# SPDX-License-Identifier: MIT
"""The thread that looks out for those who await a ShmRing: its end beside a new wait, and items in hand."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from perfcore.messaging import ShmRing
from perfcore.turns import Lookout

LIMIT_S = 60


def run(coroutine: Any) -> Any:
    async def limited() -> Any:
        return await asyncio.wait_for(coroutine, LIMIT_S)

    return asyncio.run(limited())


def test_a_thread_that_ends_leaves_those_alone_who_come_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perfcore.turns.IDLE_S", 0.01)
    ring = ShmRing[int]()
    nobody, go_on = threading.Event(), threading.Event()
    lookers: list[threading.Thread] = []
    following = Lookout._next

    def pause(self: Lookout) -> int | None:
        if threading.current_thread() not in lookers:
            lookers.append(threading.current_thread())
        position = following(self)
        if position is None and len(lookers) == 1:
            nobody.set()
            go_on.wait()  # it has said that it goes, and has not gone
        return position

    monkeypatch.setattr(Lookout, "_next", pause)

    async def main() -> None:
        first = asyncio.create_task(ring.aget())
        await asyncio.sleep(0)
        ring.put(1)
        assert await first == 1
        await asyncio.to_thread(nobody.wait)
        second = asyncio.create_task(ring.aget())
        await asyncio.sleep(0)
        place = ring._getters._line[0]
        go_on.set()
        await asyncio.to_thread(lookers[0].join)
        await asyncio.sleep(0)
        assert ring._getters._is_manned
        assert list(ring._getters._line) == [place]
        ring.put(2)
        assert await second == 2
        assert len(lookers) == 2

    run(main())


class Bomb:
    """Raises when it is unpickled for the first time."""

    raises = False

    def __reduce__(self) -> Any:
        return Bomb.load, ()

    @staticmethod
    def load() -> str:
        Bomb.raises = not Bomb.raises
        if Bomb.raises:
            raise KeyboardInterrupt
        return "defused"


def test_who_awaits_has_what_another_one_could_not_give() -> None:
    ring = ShmRing[Any]()

    async def main() -> None:
        for _ in range(10):
            wait = asyncio.create_task(ring.aget())
            await asyncio.sleep(0.01)
            ring.put(Bomb())
            with pytest.raises(KeyboardInterrupt):
                ring.get()  # perhaps before the thread has seen that there was something
            assert await wait == "defused"

    run(main())
