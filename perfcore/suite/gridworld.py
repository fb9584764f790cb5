# SPDX-License-Identifier: MIT
"""The reference agent: active inference (pymdp) in a grid world with noisy senses and slippery ground.

A `GridWorld` is the model that all agents of one size share: which cell a sense tells of, where a move leads. A
`GridAgent` infers its cell from what it senses, plans by expected free energy, and moves. When it reaches its goal it
gets the next one, so that no step is idle. Everything is drawn from the agent's seed: the same seed, the same walk.

Needs pymdp's NumPy releases (0.0.7.1): ``pip install 'perfcore[suites]'``.
"""

from __future__ import annotations

import functools
import random
import sys
from collections import deque
from importlib import import_module
from typing import Any, cast

import numpy as np

from perfcore.errors import SuiteError
from perfcore.suite.agent import INBOX, Factory, Message

__all__ = ["GridAgent", "GridWorld", "compress_beliefs", "expand_beliefs", "grid_agents", "grid_world"]

MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1), (0, 0))  # up, down, left, right, stay
NOISE = 0.1  # the share of senses that tell of a neighbouring cell
SLIP = 0.1  # the share of moves that lead nowhere
ELSEWHERE = 0.5  # how much less an agent likes a cell where it was told that another one is


@functools.cache
def _pymdp_agent() -> Any:
    """Return pymdp's Agent class; imported here because it takes over a second (pandas, seaborn, matplotlib)."""
    try:
        module = import_module("pymdp.agent")
    except ModuleNotFoundError as error:
        raise SuiteError(
            f"the grid world's agents need pymdp ({error.name} is missing); run: pip install 'perfcore[suites]'"
        ) from None
    if hasattr(module, "jnp"):
        raise SuiteError(
            "this pymdp is a JAX release (1.x), where agents are batched; run: pip install 'perfcore[suites]'"
        )
    return module.Agent


def _one(array: Any) -> Any:
    """Return an array as pymdp wants it: the only member of an array of objects."""
    boxed = np.empty(1, dtype=object)
    boxed[0] = array
    return boxed


class GridWorld:
    """The generative model of a square world: ``senses[sense, cell]`` and ``moves[next, cell, move]``.

    Args:
        size: cells to a side. ``moves`` takes ``size ** 4 * 40`` bytes.

    """

    def __init__(self, size: int) -> None:
        if size < 2:
            raise ValueError(f"size is {size}; a world has at least 2 cells to a side")
        self.size = size
        self.cells = cells = size * size
        self.moves = np.zeros((cells, cells, len(MOVES)))
        self.senses = np.zeros((cells, cells))
        self.to = [[self._move(cell, move) for move in range(len(MOVES))] for cell in range(cells)]
        self.near = [sorted({to for to in self.to[cell] if to != cell}) for cell in range(cells)]
        for cell in range(cells):
            for move, to in enumerate(self.to[cell]):
                self.moves[to, cell, move] += 1 - SLIP
                self.moves[cell, cell, move] += SLIP
            self.senses[cell, cell] = 1 - NOISE
            self.senses[self.near[cell], cell] = NOISE / len(self.near[cell])

    def _move(self, cell: int, move: int) -> int:
        row, column = divmod(cell, self.size)
        down, right = MOVES[move]
        row, column = (min(max(place, 0), self.size - 1) for place in (row + down, column + right))
        return row * self.size + column

    def preferences(self, goal: int) -> Any:
        """Return how much each cell is liked: the less the farther from the goal."""
        rows, columns = np.divmod(np.arange(self.cells), self.size)
        row, column = divmod(goal, self.size)
        return -0.5 * (abs(rows - row) + abs(columns - column)).astype(float)

    @property
    def nbytes(self) -> int:
        """Bytes of the model's matrices."""
        return int(self.moves.nbytes + self.senses.nbytes)


@functools.cache
def grid_world(size: int) -> GridWorld:
    """Return the world of this size that all agents of the process share."""
    return GridWorld(size)


class GridAgent:
    """An active-inference agent that walks from goal to goal.

    Args:
        seed: of its start, its goals and its senses.
        world: what it shares with others; a world of 5 by 5 by default.
        horizon: moves that it plans ahead: it weighs ``5 ** horizon`` policies at each step.
        learning: keep counts of what it senses where, and learn its own model of the senses from them.
        name: as a sender of messages.

    """

    def __init__(
        self,
        seed: int = 0,
        world: GridWorld | None = None,
        *,
        horizon: int = 1,
        learning: bool = False,
        name: str | None = None,
    ) -> None:
        self.world = world = grid_world(5) if world is None else world
        self.name = f"agent-{seed:03d}" if name is None else name
        self._seed = seed
        self._learning = learning
        self.inbox: deque[Message] = deque(maxlen=INBOX)
        priors = self._begin()
        self.inner = _pymdp_agent()(B=_one(world.moves), policy_len=horizon, **priors)

    def _begin(self) -> dict[str, Any]:
        """Draw where to begin and where to go; return what pymdp's agent has to know of it."""
        world = self.world
        self._draw = random.Random(self._seed)  # noqa: S311 - a walk, no secret
        self.cell = self._draw.randrange(world.cells)
        self.goal = self._next_goal()
        self.steps = self.reached = self.received = 0
        self.inbox.clear()
        self._others: dict[str, int] = {}
        here = np.zeros(world.cells)
        here[self.cell] = 1.0
        priors = {"C": _one(world.preferences(self.goal)), "D": _one(here), "A": _one(world.senses)}
        if self._learning:
            priors |= {"A": _one(world.senses.copy()), "pA": _one(world.senses * 10 + 0.1)}
        return priors

    def reset(self) -> None:
        """Begin anew, as if just spawned; cheaper than another agent, because the policies are kept."""
        for name, prior in self._begin().items():
            setattr(self.inner, name, prior)
        self.inner.reset()
        self.inner.action = self.inner.prev_actions = None

    def _next_goal(self) -> int:
        goal = self._draw.randrange(self.world.cells - 1)
        return goal + (goal >= self.cell)

    def sense(self) -> int:
        """Return the cell that the senses tell of: mostly the true one, sometimes a neighbour."""
        if self._draw.random() < NOISE:
            return self._draw.choice(self.world.near[self.cell])
        return self.cell

    def step(self) -> int:
        """Sense, infer, plan, move; return the move (0 up, 1 down, 2 left, 3 right, 4 stay)."""
        inner, sensed = self.inner, self.sense()
        inner.infer_states([sensed])
        if self._learning:
            inner.update_A([sensed])
        if self._others:
            liked = self.world.preferences(self.goal)
            liked[list(self._others.values())] -= ELSEWHERE
            inner.C[0] = liked
        inner.infer_policies()
        move = int(inner.sample_action()[0])
        if self._draw.random() >= SLIP:
            self.cell = self.world.to[self.cell][move]
        self.steps += 1
        if self.cell == self.goal:
            self.reached += 1
            self.goal = self._next_goal()
            inner.C[0] = self.world.preferences(self.goal)
        return move

    @property
    def beliefs(self) -> Any:
        """The probability of each cell, as the agent sees it."""
        return self.inner.qs[0]

    def send(self) -> Message:
        """Tell where the agent believes to be, and its beliefs."""
        beliefs = self.beliefs
        return {
            "sender": self.name,
            "number": self.steps,
            "cell": int(beliefs.argmax()),
            "beliefs": [round(float(share), 6) for share in beliefs],
        }

    def receive(self, message: Message) -> None:
        """Keep the message; from the next step on, the cell where the sender is is liked less."""
        self.inbox.append(message)
        self.received += 1
        if (cell := message.get("cell")) is not None:
            # Another dictionary, because step() may run in another thread just now.
            self._others = {**self._others, str(message["sender"]): int(cell)}

    def memory(self) -> int:
        """Return the bytes of its own arrays and messages; those of the world are shared and not counted."""
        shared = {id(self.world.moves), id(self.world.senses)}
        arrays: dict[int, Any] = {}
        for value in vars(self.inner).values():
            for part in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(part, np.ndarray):
                    inside = list(part.flat) if part.dtype == object else []
                    arrays |= {id(array): array for array in [part, *inside] if isinstance(array, np.ndarray)}
        own = sum(array.nbytes for key, array in arrays.items() if key not in shared)
        messages = sum(map(_size_of_message, list(self.inbox)))
        return cast(int, own) + sys.getsizeof(self.inbox) + messages


def _size_of_message(message: Message) -> int:
    lists = sum(sum(map(sys.getsizeof, value)) for value in message.values() if isinstance(value, list))
    return sys.getsizeof(message) + sum(map(sys.getsizeof, message.values())) + lists


def compress_beliefs(beliefs: Any, floor: float = 1e-4) -> tuple[int, Any, Any]:
    """Return beliefs as their length, the cells above ``floor``, and the probabilities of those as 32-bit floats."""
    cells = np.flatnonzero(beliefs > floor).astype(np.uint32)
    return len(beliefs), cells, beliefs[cells].astype(np.float32)


def expand_beliefs(compressed: tuple[int, Any, Any]) -> Any:
    """Return the beliefs that `compress_beliefs` made smaller, scaled to a sum of 1."""
    count, cells, shares = compressed
    beliefs = np.zeros(count)
    beliefs[cells] = shares
    return beliefs / beliefs.sum()


def grid_agents(
    *, size: int = 5, horizon: int = 1, learning: bool = False, seed: int = 0, shared: bool = True
) -> Factory:
    """Return a factory of grid-world agents, one seed after another.

    Args:
        size: cells to a side of their world.
        horizon: moves that they plan ahead.
        learning: whether they learn their model of the senses.
        seed: of agent 0; agent ``i`` has ``seed + i``.
        shared: all walk in one world; otherwise each has matrices of its own.

    """

    def make(index: int) -> GridAgent:
        world = grid_world(size) if shared else GridWorld(size)
        return GridAgent(seed + index, world, horizon=horizon, learning=learning)

    return make
