# SPDX-License-Identifier: MIT
"""The thread that looks out for those who await a ShmRing: items in hand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from perfcore.messaging import ShmRing

LIMIT_S = 60


def run(coroutine: Any) -> Any:
    async def limited() -> Any:
        return await asyncio.wait_for(coroutine, LIMIT_S)

    return asyncio.run(limited())


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
