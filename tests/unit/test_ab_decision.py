# SPDX-License-Identifier: MIT
"""The decision of ``perfcore ab`` on made-up pairs: false alarms, power, what is said of what is not decided."""

from __future__ import annotations

import math
import random
from array import array
from collections import Counter

import pytest

from perfcore import _core
from perfcore.judge.pairs import (
    LEAST_PAIRS,
    Mode,
    PairRule,
    Track,
    common_shift,
    judge_blocks,
    settle,
    suite_verdict,
)

BASE_S = 1e-3


def add(track: Track, effect: float, base: float = BASE_S) -> None:
    """Add a pair of processes whose blocks say exactly `effect`."""
    head = base * math.exp(effect)
    track.add([base, base], [head, head])


def track_of(*effects: float, name: str = "t") -> Track:
    track = Track(name)
    for effect in effects:
        add(track, effect)
    return track


def noise(rng: random.Random, spread: float, *, spiky: bool) -> float:
    """The difference between two processes of one code, of standard deviation `spread`; every tenth is a spike."""
    return rng.gauss(0, spread * (5 if spiky and rng.random() < 0.1 else 1))


def decide(rng: random.Random, shift: float, spread: float, rule: PairRule, *, spiky: bool = False) -> Track:
    track = Track("t")
    while not track.final:
        add(track, math.log1p(shift) + noise(rng, spread, spiky=spiky))
        settle([track], rule)
    return track


def statuses(shift: float, spread: float, rule: PairRule, count: int, *, spiky: bool = False) -> Counter[str]:
    rng = random.Random(f"{shift} {spread} {spiky}")
    return Counter(decide(rng, shift, spread, rule, spiky=spiky).status for _ in range(count))


@pytest.mark.parametrize("spiky", [False, True])
@pytest.mark.parametrize("spread", [0.003, 0.01, 0.03])
def test_false_alarms(spread: float, spiky: bool) -> None:
    """0.1 % on each side over all looks, whatever the noise: 0.5 expected among 500; over 4 has a chance of 0.02 %."""
    found = statuses(0.0, spread, PairRule(threshold=0.03), 500, spiky=spiky)
    assert found["regression"] <= 4
    assert found["improvement"] <= 4
    if spread < 0.01:
        assert found["ok"] >= 495


def test_level() -> None:
    """Of 10 000 series that are looked at after each pair, 0.1 % miss on each side; over 36 has a chance of 0.05 %."""
    rng = random.Random(7)
    missed = 0
    for _ in range(10_000):
        effects = array("d", [rng.gauss(0, 1) for _ in range(24)])
        for count in range(LEAST_PAIRS, 25):
            _, _, low, high, _ = _core.judge_pairs(effects[:count], 0.05, 0.001, False, 21)
            if low > 0 or high < 0:
                missed += 1
                break
    assert 4 < missed <= 36


@pytest.mark.parametrize(
    ("shift", "spread", "spiky"),
    [(0.05, 0.003, False), (0.05, 0.01, False), (0.03, 0.005, False), (0.05, 0.01, True), (0.03, 0.005, True)],
)
def test_power(shift: float, spread: float, spiky: bool) -> None:
    """A slow-down of the threshold is found, also among spikes; never is it called ok."""
    found = statuses(shift, spread, PairRule(threshold=shift), 300, spiky=spiky)
    assert found["regression"] >= 297
    assert found["ok"] == 0


@pytest.mark.parametrize("spread", [0.003, 0.01, 0.03])
def test_wrong_ok(spread: float) -> None:
    """At the threshold itself "ok" is wrong: 0.1 % may be."""
    assert statuses(0.05, spread, PairRule(threshold=0.05, mode="exceeds"), 500)["ok"] <= 4


def test_exceeds_is_stricter() -> None:
    rule = PairRule(threshold=0.05, mode="exceeds")
    assert statuses(0.05, 0.005, rule, 300)["regression"] <= 3
    assert statuses(0.12, 0.005, rule, 300)["regression"] == 300
    assert statuses(-0.12, 0.002, rule, 300)["improvement"] == 300


def test_improvement_mirrors_regression() -> None:
    slower = decide(random.Random(5), 0.05, 0.01, PairRule())
    faster = Track("t")
    for effect in slower.effects:
        add(faster, -effect)
    settle([faster], PairRule())
    assert (slower.status, faster.status) == ("regression", "improvement")
    assert faster.ratio == pytest.approx(1 / slower.ratio)
    assert (faster.low, faster.high) == pytest.approx((1 / slower.high, 1 / slower.low))


def test_suites_of_a_hundred() -> None:
    """The same code on both sides: at most 1 % of the suites may have a regression; none of these 10 has one."""
    rng = random.Random(11)
    rule = PairRule(threshold=0.03)
    for _ in range(10):
        tracks = [Track(str(number)) for number in range(100)]
        while waiting := [track for track in tracks if not track.final]:
            for track in waiting:
                add(track, noise(rng, 0.008, spiky=False))
            settle(tracks, rule)
        assert suite_verdict(tracks) != "regression"


def test_a_chance_among_many_waits_for_more_pairs() -> None:
    """Four pairs that convict a benchmark on its own do not do so among a hundred good ones."""
    effects = (0.0635, 0.0605, 0.0575, 0.0545)
    alone = track_of(*effects)
    settle([alone], PairRule())
    assert alone.status == "regression"
    assert 0.0001 < alone.p_value < 0.001

    accused = track_of(*effects)
    good = [track_of(0.001, -0.001, 0.0005, -0.0005, name=str(number)) for number in range(99)]
    settle([accused, *good], PairRule())
    assert (accused.status, accused.final) == ("undecided", False)
    assert accused.reason.startswith("slower by itself, but that may be chance among 100 benchmarks: p 0.0")
    assert {track.status for track in good} == {"ok"}
    for effect in effects:
        add(accused, effect)
    settle([accused, *good], PairRule())
    assert (accused.status, accused.final, accused.reason) == ("regression", True, "")


def test_no_verdict_before_the_fourth_pair() -> None:
    track = Track("t")
    for pair in range(1, LEAST_PAIRS):
        add(track, 0.5)
        settle([track], PairRule(max_time=1e-9))
        assert (track.status, track.final) == ("undecided", False)
        assert track.reason == f"{pair} of the 4 pairs that a verdict takes"


def test_time_and_pairs_run_out() -> None:
    noisy = (0.1, -0.1, 0.1, -0.1)
    track = track_of(*noisy)
    track.spent = 11.0
    settle([track], PairRule(max_time=10.0))
    assert (track.status, track.final) == ("undecided", True)
    assert track.reason.startswith("known to ±")
    assert track.reason.endswith("too noisy here")

    track = track_of(*noisy)
    settle([track], PairRule(max_pairs=4))
    assert track.final
    track = track_of(*noisy)
    settle([track], PairRule())
    assert not track.final


def test_says_how_many_pairs_would_decide() -> None:
    track = track_of(0.0, 0.01, -0.01, 0.005)
    settle([track], PairRule(threshold=0.03))
    assert track.reason.endswith("% after 4 pairs")
    settle([track], PairRule(threshold=0.03, max_pairs=4))
    assert track.reason.startswith("known to ±")
    assert "would decide" in track.reason


@pytest.mark.parametrize("mode", ["detect", "exceeds"])
@pytest.mark.parametrize("center", [-0.08, 0.0, 0.02, math.log(1.05), 0.14])
def test_the_pairs_that_would_decide_do(center: float, mode: Mode) -> None:
    """If they are like those so far: an estimate at the threshold is a regression once it is proven above zero."""
    effects, rule = [center + each for each in (0.03, -0.03, 0.02, -0.02)], PairRule(mode=mode, max_pairs=4)
    track = track_of(*effects)
    settle([track], rule)
    assert track.status == "undecided"
    if mode == "exceeds" and center == math.log(1.05):
        assert track.reason.endswith("too noisy here")  # on the edge there is no end
        return
    count = int(track.reason.removesuffix(" would decide").rpartition("about ")[2])
    assert 4 < count <= 30  # not the 100 and more that four pairs make of it, whose few degrees of freedom would stay
    for number, status in ((count - 1, {"undecided"}), (count, {"ok", "improvement", "regression"})):
        later = track_of(*(effects * 25)[:number])
        settle([later], PairRule(mode=mode, max_pairs=number))
        assert later.status in status


def test_given_up_stays_so() -> None:
    track = track_of(0.5, 0.5, 0.5, 0.5)
    track.give_up(("head",), "failed on head: boom")
    settle([track], PairRule())
    assert (track.status, track.reason, track.final) == ("undecided", "failed on head: boom", True)
    stopped = track_of(0.1)
    stopped.add([1.0], [0.0])
    assert stopped.given_up
    assert "the timer saw no time pass" in stopped.reason


def test_two_nanoseconds_are_nothing() -> None:
    tiny = Track("t")
    for effect in (0.1, 0.101, 0.099, 0.1):
        add(tiny, effect, base=5e-9)  # half a nanosecond more
    settle([tiny], PairRule())
    assert tiny.status == "ok"


def test_suite_verdict() -> None:
    def one(status: str, failed: tuple[str, ...] = ()) -> Track:
        track = Track("t", status=status)
        if failed:
            track.give_up(failed, "failed")
        return track

    assert suite_verdict([one("ok"), one("improvement")]) == "ok"
    assert suite_verdict([one("ok"), one("undecided")]) == "undecided"
    assert suite_verdict([one("ok"), one("", ("base", "head"))]) == "undecided"
    assert suite_verdict([one("ok"), one("", ("head",))]) == "failed"
    assert suite_verdict([one("", ("base", "head"))]) == "failed"
    assert suite_verdict([one("regression"), one("", ("head",))]) == "regression"


def test_common_shift() -> None:
    def suite(shift: float) -> list[Track]:
        rng = random.Random(3)
        tracks = [track_of(*(shift + rng.gauss(0, 0.002) for _ in range(4)), name=str(n)) for n in range(12)]
        settle(tracks, PairRule())
        return tracks

    found = common_shift(suite(0.04))
    assert found is not None
    ratio, low, high = found
    assert low < ratio < high
    assert ratio == pytest.approx(1.04, abs=0.005)
    faster = common_shift(suite(-0.04))
    assert faster is not None
    assert faster[2] < 1
    assert common_shift(suite(0.0)) is None
    assert common_shift(suite(0.04)[:7]) is None


@pytest.mark.parametrize(("count", "effects"), [(6, 6), (30, 10), (200, 33)])
def test_blocks_of_one_process(count: int, effects: int) -> None:
    """Neighbouring blocks make one effect, so that a disturbance of a stretch counts once."""
    rng = random.Random(count)
    base = [1e-3 * math.exp(rng.gauss(0, 0.002)) for _ in range(count)]
    head = [1.1e-3 * math.exp(rng.gauss(0, 0.002)) for _ in range(count)]
    status, ratio, low, high = judge_blocks(base, head, 0.05, 0.95)
    assert status == "regression"
    assert low < ratio < high
    assert ratio == pytest.approx(1.1, rel=0.01)
    size = max(1, min(6, count // 8))
    logs = [math.log(b / a) for a, b in zip(base, head, strict=True)]
    medians = [sorted(logs[i : i + size]) for i in range(0, count - size + 1, size)]
    means = [(one[(size - 1) // 2] + one[size // 2]) / 2 for one in medians]
    assert len(means) == effects
    cut = effects // 10
    means.sort()
    means = [means[cut]] * cut + means[cut : effects - cut] + [means[-cut - 1]] * cut
    mean = sum(means) / effects
    kept = 1 - 2 * cut / effects
    error = math.sqrt(sum((one - mean) ** 2 for one in means) / (effects - 1) / effects) / kept
    quantile = _core.student_quantile(0.975, effects - 2 * cut - 1)
    assert math.log(high / low) / 2 == pytest.approx(quantile * error, rel=1e-9)


def test_too_few_blocks() -> None:
    status, ratio, low, high = judge_blocks([1.0] * 3, [1.1] * 3, 0.05, 0.95)
    assert (status, low, high) == ("undecided", 0.0, math.inf)
    assert ratio == pytest.approx(1.1)
