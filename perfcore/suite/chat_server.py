# SPDX-License-Identifier: MIT
"""A language model's HTTP interface on this machine, in the form of OpenAI's: it takes its time, and thinks nothing.

    python -m perfcore.suite.chat_server [--delay LOW HIGH] [--error-rate SHARE] [--seed N]

It prints its port as the first line, and ends when its standard input is closed. How long an answer takes (seconds,
uniform between LOW and HIGH), and whether it is an error 503, is drawn from the server's seed and the request's
``user`` and ``seed``: the same requests take the same time in any order, also at the same time. A request's
``metadata`` may say otherwise: ``{"delay": "3"}``. ``GET /stats`` counts what came, was answered, and was given up by
its client before the answer.

One thread, one event loop.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from dataclasses import asdict, dataclass
from typing import Any

LIMIT = 1 << 20  # bytes of a request's body


@dataclass(slots=True)
class Stats:
    """What the server has seen: requests begun, answered, answered with an error, given up by the client."""

    requests: int = 0
    answered: int = 0
    errors: int = 0
    dropped: int = 0


class BadRequestError(Exception):
    """What came is no request that this server takes."""


class Server:
    """Answers chat completions."""

    def __init__(self, delay: tuple[float, float], error_rate: float, seed: int) -> None:
        self.delay, self.error_rate, self.seed = delay, error_rate, seed
        self.stats = Stats()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests, one after another."""
        try:
            while (request := await read_request(reader)) is not None:
                method, path, body = request
                if (method, path) == ("GET", "/stats"):
                    write_response(writer, 200, asdict(self.stats))
                elif (method, path) == ("POST", "/v1/chat/completions"):
                    if not await self.complete(reader, writer, body):
                        break
                else:
                    write_response(writer, 404, error(f"there is no {method} {path} here"))
                await writer.drain()
        except BadRequestError as wrong:
            write_response(writer, 400, error(str(wrong)), "close")
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client is gone, or the server ends
        finally:
            writer.close()

    async def complete(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> bool:
        """Answer after the delay; False when the client is gone by then."""
        try:
            request: Any = json.loads(body)
            prompt = str(request["messages"][-1]["content"])
            draw = random.Random(f"{self.seed}/{request.get('user')}/{request.get('seed')}")  # noqa: S311 - a delay
            seconds = draw.uniform(*self.delay)
            seconds = float((request.get("metadata") or {}).get("delay", seconds))
        except (ValueError, TypeError, LookupError, AttributeError) as wrong:
            raise BadRequestError(f"not a chat completion: {wrong!r}") from None
        self.stats.requests += 1
        # A client that gives up closes its connection: the read ends, and so does the thinking.
        gone = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({gone}, timeout=seconds)
        if gone.done():
            self.stats.dropped += 1
            return False
        gone.cancel()
        await asyncio.wait({gone})
        if draw.random() < self.error_rate:
            self.stats.errors += 1
            write_response(writer, 503, error("the model is overloaded (drawn by --error-rate)"))
            return True
        self.stats.answered += 1
        words = 5 + draw.randrange(30)
        answer = " ".join(draw.choice(("move", "wait", "look", "ask", "north", "south")) for _ in range(words))
        write_response(writer, 200, completion(self.stats.answered, prompt, answer))
        return True


def completion(number: int, prompt: str, answer: str) -> dict[str, Any]:
    """Return an answer in the form of OpenAI's chat completions."""
    asked, said = len(prompt.split()), len(answer.split())
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "model": "perfcore-loopback",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said},
    }


def error(text: str) -> dict[str, Any]:
    """Return an error in the form of OpenAI's."""
    return {"error": {"message": text, "type": "server_error"}}


def write_response(
    writer: asyncio.StreamWriter, status: int, document: dict[str, Any], connection: str = "keep-alive"
) -> None:
    """Write a response; ``connection`` says what becomes of the connection."""
    reason = {200: "OK", 400: "Bad Request", 404: "Not Found", 503: "Service Unavailable"}[status]
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: {connection}\r\n\r\n".encode() + body)


async def read_request(reader: asyncio.StreamReader) -> tuple[str, str, bytes] | None:
    """Read a request; None at the end of the connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError as end:
        if end.partial.strip():
            raise BadRequestError("the request ends in its head") from None
        return None
    except asyncio.LimitOverrunError:
        raise BadRequestError("the request's head is too long") from None
    first, *lines = head.split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    try:
        method, path, _ = first.split(" ")
        length = int(headers.get("content-length", "0"))
    except ValueError:
        raise BadRequestError(f"no HTTP request: {first!r}") from None
    if not 0 <= length <= LIMIT:
        raise BadRequestError(f"a body of {length} bytes; at most {LIMIT} are taken")
    return method, path, await reader.readexactly(length)


async def run(server: Server) -> None:
    """Serve until standard input is closed."""
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=512)
    print(listening.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    ended = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(ended), sys.stdin)
    while await ended.read(1024):
        pass
    listening.close()


def main() -> None:
    """Serve, with the options of the command line."""
    parser = argparse.ArgumentParser(description="An OpenAI-style chat server that only takes time.")
    parser.add_argument("--delay", nargs=2, type=float, default=(0.05, 0.2), metavar=("LOW", "HIGH"), help="seconds")
    parser.add_argument("--error-rate", type=float, default=0.0, metavar="SHARE", help="of answers that are errors")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    options = parser.parse_args()
    low, high = options.delay
    if not 0 <= low <= high or not 0 <= options.error_rate <= 1:
        parser.error("--delay takes 0 <= LOW <= HIGH, --error-rate a share from 0 to 1")
    asyncio.run(run(Server((low, high), options.error_rate, options.seed)))


if __name__ == "__main__":
    main()
