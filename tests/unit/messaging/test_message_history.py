# SPDX-License-Identifier: MIT
"""MessageHistory: queries against a model, limits, threads, and changes while somebody iterates."""

from __future__ import annotations

import itertools
import signal
import sys
import threading
from collections import deque
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from perfcore.messaging import Message, MessageHistory


def matches(topic_filter: str, topic: str | None) -> bool:
    """Say whether a filter of MQTT matches, level by level. Topics are UTF-8: a lone surrogate matches itself alone."""
    if topic is None or (topic != topic_filter and "\ud800" in topic):
        return False
    filters, levels = topic_filter.split("/"), topic.split("/")
    for place, wanted in enumerate(filters):
        hidden = place == 0 and topic.startswith("$")
        if wanted == "#" and not hidden:
            return True
        if place >= len(levels) or (wanted != levels[place] and (wanted != "+" or hidden)):
            return False
    return len(filters) == len(levels)


NAMES = ["a", "b", "ü", ""]
TOPICS = [None, "t", "t/1", "t/2", "t/1/x", "u/1", "$s/1", "t/\ud800", "/"]
FILTERS = ["t", "t/1", "t/+", "t/#", "#", "+/1", "+/+/x", "$s/#", "nothing", "t/\ud800"]
optional_name = st.none() | st.sampled_from([*NAMES, "stranger"])
times = st.integers(-3, 12)


class AgainstModel(RuleBasedStateMachine):
    """Any sequence of calls gives what a deque and comprehensions would."""

    @initialize(maxlen=st.none() | st.integers(1, 7))
    def begin(self, maxlen: int | None) -> None:
        self.history = MessageHistory(maxlen)
        self.model: deque[Message] = deque(maxlen=maxlen)
        self.dropped = 0
        self.clock = 0

    def add(self, message: Message) -> None:
        self.dropped += len(self.model) == self.model.maxlen
        self.model.append(message)

    @rule(
        sender=st.sampled_from(NAMES),
        recipient=st.none() | st.sampled_from(NAMES),
        topic=st.sampled_from(TOPICS),
        step=st.integers(-2, 3),
    )
    def append(self, sender: str, recipient: str | None, topic: str | None, step: int) -> None:
        self.clock += step if step < 0 and self.clock % 3 == 0 else abs(step)  # now and then back in time
        message = Message(sender, recipient, topic, timestamp=self.clock)
        self.history.append(message)
        self.add(message)

    @rule(count=st.integers(0, 70))
    def extend(self, count: int) -> None:
        many = [Message(NAMES[i % 3], topic=f"t/{i % 5}", timestamp=self.clock + i // 9) for i in range(count)]
        self.clock += count // 9
        self.history.extend(iter(many))
        for message in many:
            self.add(message)

    @rule(sure=st.integers(0, 9))
    def clear(self, sure: int) -> None:
        if sure == 0:
            self.history.clear()
            self.model.clear()

    @rule(
        agent=optional_name,
        sender=optional_name,
        recipient=optional_name,
        topic=st.none() | st.sampled_from(FILTERS),
        since=st.none() | times,
        until=st.none() | times,
        limit=st.none() | st.integers(1, 9),
    )
    def query(
        self,
        agent: str | None,
        sender: str | None,
        recipient: str | None,
        topic: str | None,
        since: int | None,
        until: int | None,
        limit: int | None,
    ) -> None:
        wanted = [
            one
            for one in self.model
            if (agent is None or agent in (one.sender, one.recipient))
            and (sender is None or sender == one.sender)
            and (recipient is None or recipient == one.recipient)
            and (topic is None or matches(topic, one.topic))
            and (since is None or one.timestamp >= since)
            and (until is None or one.timestamp < until)
        ]
        found = self.history.query(
            agent=agent, sender=sender, recipient=recipient, topic=topic, since=since, until=until, limit=limit
        )
        assert found == (wanted if limit is None else wanted[-limit:])

    @invariant()
    def same(self) -> None:
        if not hasattr(self, "model"):
            return
        assert list(self.history) == list(self.model)
        assert (len(self.history), self.history.dropped) == (len(self.model), self.dropped)


TestAgainstModel = AgainstModel.TestCase
TestAgainstModel.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)


def made(count: int) -> list[Message]:
    return [Message(f"agent-{i % 7}", f"agent-{i % 5}", f"w/{i % 11}", i, timestamp=i) for i in range(count)]


def test_as_a_sequence() -> None:
    history, messages = MessageHistory(), made(100)
    history.extend(messages)
    assert (history[0], history[-1], history[50]) == (messages[0], messages[-1], messages[50])
    assert messages[3] in history
    for index in (100, -101):
        with pytest.raises(IndexError, match="no message at this index"):
            history[index]
    assert repr(history) == "<perfcore.MessageHistory: 100 messages>"
    assert repr(MessageHistory(5)) == "<perfcore.MessageHistory: 0 messages of at most 5>"
    assert (history.maxlen, MessageHistory(5).maxlen) == (None, 5)
    assert not MessageHistory()
    assert type(history.query()) is list
    assert history.query() == messages


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"agent": 3}, TypeError, "agent is a str, not int"),
        ({"sender": b"a"}, TypeError, "sender is a str, not bytes"),
        ({"recipient": 3, "sender": "stranger"}, TypeError, "recipient is a str, not int"),
        ({"topic": 3, "sender": "stranger"}, TypeError, "topic is a str, not int"),
        ({"topic": "a/#/b"}, ValueError, "'a/#/b' is no topic filter"),
        ({"topic": "a+"}, ValueError, "is no topic filter"),
        ({"topic": "+/\ud800"}, UnicodeEncodeError, "surrogates"),
        ({"since": 1.5}, TypeError, "since is an int of nanoseconds since 1970"),
        ({"until": "now"}, TypeError, "until is an int of nanoseconds"),
        ({"limit": 0}, ValueError, "limit is 0; it must be at least 1"),
        ({"who": "a"}, TypeError, "unexpected keyword argument 'who'"),
    ],
)
def test_wrong_queries(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    history = MessageHistory()
    history.append(Message("a", topic="t"))
    with pytest.raises(error, match=text):
        history.query(**arguments)


def test_wrong_calls() -> None:
    with pytest.raises(ValueError, match="maxlen is 0; it must be at least 1"):
        MessageHistory(0)
    with pytest.raises(TypeError, match="at most 0 positional"):
        MessageHistory().query("agent")  # type: ignore[misc]
    history = MessageHistory()
    with pytest.raises(TypeError, match="a history holds Message, not dict"):
        history.append({})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a history holds Message, not int"):
        history.extend([Message("a"), 3, Message("b")])  # type: ignore[list-item]
    assert [one.sender for one in history] == ["a"]


def test_times_beyond_what_a_message_can_have() -> None:
    history = MessageHistory()
    ends = [Message("a", timestamp=-(2**63)), Message("a", timestamp=2**63 - 1)]
    history.extend(ends)
    assert history.query(since=-(2**70), until=None) == ends
    assert history.query(until=-(2**70)) == []
    assert history.query(until=-(2**63)) == []
    assert history.query(until=2**63 - 1) == ends[:1]
    assert history.query(since=2**63 - 1) == ends[1:]


def test_iterating_gives_what_was_there_less_what_was_dropped() -> None:
    history, messages = MessageHistory(10), made(30)
    history.extend(messages[:10])
    each = iter(history)
    assert [next(each), next(each)] == messages[:2]
    history.extend(messages[10:15])
    assert list(each) == messages[5:10]
    history.append(messages[15])
    assert list(each) == []  # the end is the end
    again = iter(history)
    history.clear()
    history.extend(messages[20:])
    assert list(again) == []
    for message in history:  # ends, though it appends
        history.append(message)
    assert len(history) == 10


def test_a_name_is_forgotten_with_its_last_message() -> None:
    history = MessageHistory(3)
    for number in range(10_000):
        history.append(Message(f"s{number}", f"r{number}", f"t{number}"))
    assert sys.getsizeof(history) < 10_000
    assert [one.sender for one in history.query(topic="#")] == ["s9997", "s9998", "s9999"]
    assert history.query(sender="s9996") == []
    assert history.query(agent="r9998") == [history[1]]


def test_a_message_whose_end_uses_the_history() -> None:
    history = MessageHistory(2)

    class Last:
        def __del__(self) -> None:
            history.append(Message("from the end"))

    history.append(Message("a", payload=Last()))
    history.extend([Message("b"), Message("c")])
    assert [one.sender for one in history] == ["c", "from the end"]
    history.append(Message("d", payload=Last()))
    history.clear()
    assert [one.sender for one in history] == ["from the end"]


def test_threads_append_and_ask() -> None:
    history, count, threads = MessageHistory(500), 3000, 4
    wrong: list[Any] = []

    def work(which: int) -> None:
        mine = f"agent-{which}"
        for number in range(count):
            history.append(Message(mine, f"agent-{number % threads}", f"w/{which}", number))
            if number % 50 == 0:
                for found in (
                    history.query(sender=mine),
                    history.query(topic=f"w/{which}"),
                    history.query(topic="w/#"),
                ):
                    steps = [one.payload for one in found if one.sender == mine]
                    if steps != sorted(steps):
                        wrong.append(steps)
                sum(1 for _ in history)

    workers = [threading.Thread(target=work, args=(which,)) for which in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []
    assert (len(history), history.dropped) == (500, threads * count - 500)
    per_sender = [len(history.query(sender=f"agent-{which}")) for which in range(threads)]
    assert sum(per_sender) == 500
    assert sorted(
        itertools.chain.from_iterable(map(id, history.query(sender=f"agent-{n}")) for n in range(threads))
    ) == (sorted(map(id, history)))


def test_ten_thousand_messages_take_little() -> None:
    """Names and topics shared, a dict of three as payload: some 4.5 MB with everything, far below 100."""
    names, topics = [f"agent-{i}" for i in range(100)], [f"world/{i}/move" for i in range(200)]
    history = MessageHistory()
    taken = 0
    for i in range(10_000):
        payload = {"step": i, "reward": i / 7, "action": "up"}
        message = Message(names[i % 100], names[i * 7 % 100], topics[i % 200], payload)
        history.append(message)
        taken += sum(map(sys.getsizeof, (message, payload, payload["step"], payload["reward"])))
    assert sys.getsizeof(history) < 1_000_000
    assert taken + sys.getsizeof(history) < 6_000_000
    assert history[9_999].payload["step"] == 9_999


def test_an_endless_iterator_can_be_interrupted() -> None:
    class Stop(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stop

    history = MessageHistory(10)
    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Stop):
            history.extend(itertools.repeat(Message("a"), 200_000_000))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(history) == 10
    assert history.dropped > 0
