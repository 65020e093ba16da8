"""A fork is where its original is, and was."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import digest, play

import mynah


def talk(vec: mynah.VoiceVec, sound: np.ndarray) -> None:
    """Steps, messages of every lasting kind, and a reset of one."""
    play(vec, sound, 30)
    vec.say(0, "Good morning. Who is there?")
    vec.hold(1)
    play(vec, sound, 70, first=30)
    vec.respond(1)
    vec.interrupt(0)
    vec.reset(np.array([False, False, True]))
    play(vec, sound, 40, first=100)
    # Of the steps to come.
    vec.say(2, "One more thing.")


def test_a_fork_goes_on_like_its_original(turns: np.ndarray) -> None:
    with mynah.VoiceVec("barge_in", 3, keep_inputs=True) as vec:
        talk(vec, turns)
        with vec.fork() as other, other.fork() as third:
            assert other.now_us == vec.now_us
            went = [digest(play(one, turns, 150, first=140)) for one in (vec, other, third)]
            assert went[0] == went[1] == went[2]
            assert [one.history(2) for one in (other, third)] == [vec.history(2)] * 2


def test_a_fork_of_a_prefix_is_what_was_then(turns: np.ndarray) -> None:
    with mynah.VoiceVec("barge_in", 3, keep_inputs=True) as vec:
        play(vec, turns, 50)
        then = digest(play(vec, turns, 50, first=50))
        vec.say(0, "This comes too late for the fork.")
        play(vec, turns, 20, first=100)
        with vec.fork(50) as other:
            assert other.now_us == 50 * 20_000
            assert digest(play(other, turns, 50, first=50)) == then
        with vec.fork(0) as fresh:
            assert fresh.now_us == 0
        with pytest.raises(ValueError, match="expected 0 to 120"):
            vec.fork(121)


def test_inputs_that_were_not_kept_are_no_fork() -> None:
    with mynah.VoiceVec("gate_only", 1) as vec, pytest.raises(RuntimeError, match="keep_inputs=True"):
        vec.fork()
