"""The environment keeps Gymnasium's rules, and rewards what it says."""

from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from mynah import Kind
from mynah.gym import Action, Rewards, TurnTaking, TurnTakingEnv
from mynah.recordings import Recording, labelled


def silence_policy(env: TurnTaking, seen: np.ndarray, threshold_s: float) -> np.ndarray:
    """Answers who has been silent for so long."""
    ended, since = (seen[:, env.columns.index(name)] for name in ("ended", "since_end_s"))
    return np.where((ended > 0) & (since >= threshold_s), Action.SAY, Action.HOLD)


def one_call(name: str, **options: object) -> TurnTaking:
    """Two callers of one recording, without chance."""
    recordings = [recording for recording in labelled() if recording.name == name]
    return TurnTaking(2, recordings=recordings, lead_ms=0, **options)  # type: ignore[arg-type]


def test_gymnasium_finds_nothing_wrong() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make("mynah/TurnTaking-v0")
        assert isinstance(env.unwrapped, TurnTakingEnv)
        check_env(env.unwrapped)
        env.close()


def test_a_vector_is_made_by_its_name() -> None:
    env = gymnasium.make_vec(
        "mynah/TurnTaking-v0", num_envs=3, vectorization_mode="vector_entry_point", features=False
    )
    seen, infos = env.reset(seed=1)
    assert seen in env.observation_space and seen.shape == (3, len(Kind))
    seen, rewards, over, cut, infos = env.step(env.action_space.sample())
    assert seen in env.observation_space
    assert rewards.shape == over.shape == cut.shape == (3,) and rewards.dtype == np.float64
    assert over.dtype == cut.dtype == np.bool_
    assert all(values.shape == (3,) for values in infos.values())
    env.close()


def test_the_same_seed_is_the_same_call_and_another_is_not() -> None:
    def total(env: TurnTaking, seed: int) -> list[float]:
        seen, _ = env.reset(seed=seed)
        sums = []
        for _ in range(500):
            seen, rewards, *_ = env.step(silence_policy(env, seen, 0.2))
            assert seen in env.observation_space
            sums += [float(seen.sum()), float(rewards.sum())]
        return sums

    env, other = TurnTaking(4), TurnTaking(4, threads=2)
    first = total(env, 5)
    assert total(env, 5) == first == total(other, 5)
    assert total(env, 6) != first
    env.close(), other.close()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_calls_end_and_begin_anew_as_the_mode_says(mode: AutoresetMode) -> None:
    env = one_call("turns.wav", autoreset_mode=mode, tail_ms=500)
    first, _ = env.reset(seed=1)
    hold = np.zeros(2, np.int64)
    steps, over = (4_900 + 500) // 20, np.zeros(2, np.bool_)
    for _ in range(steps):
        assert not over.any()
        seen, _, over, cut, infos = env.step(hold)
    assert over.all() and not cut.any()
    if mode == AutoresetMode.DISABLED:
        with pytest.raises(ResetNeeded):
            env.step(hold)
        seen, _ = env.reset(options={"reset_mask": np.array([True, False])})
        assert np.array_equal(seen[0], first[0]) and not np.array_equal(seen[1], first[1])
        seen, _ = env.reset(options={"reset_mask": np.array([False, True])})
    elif mode == AutoresetMode.NEXT_STEP:
        assert not np.array_equal(seen, first)
        seen, rewards, over, *_ = env.step(np.full(2, Action.SAY))
        assert not rewards.any() and not over.any()
    else:
        assert infos["_final_obs"].all() and not np.array_equal(infos["final_obs"][0], first[0])
    assert np.array_equal(seen, first)
    for _ in range(steps):
        assert not over.any() or mode != AutoresetMode.NEXT_STEP
        *_, over, _, _ = env.step(hold)
    assert over.all(), "the next call is as long"
    env.close()


def test_answers_are_worth_what_the_rules_say() -> None:
    env = one_call("turns.wav")
    seen, _ = env.reset(seed=1)
    total, latencies, sounded, over = np.zeros(2), [], 0, np.zeros(2, np.bool_)
    step = 0
    while not over.any():
        actions = silence_policy(env, seen, 0.4)
        # The second caller is answered once, in the middle of the first utterance, 1 s in.
        actions[1] = Action.SAY if step == 50 else Action.HOLD
        step += 1
        seen, rewards, over, _, infos = env.step(actions)
        assert env.last_step is not None
        sounded += int(env.last_step.got[0] > 0)
        total += rewards
        latencies += infos["latency_ms"][infos["_latency_ms"]].tolist()
        if infos["premature"].any():
            assert rewards[1] == Rewards.PREMATURE and rewards[0] == 0
    # Of the labels: the ends of the utterances; the detector hears them 50 to 60 ms later.
    assert len(latencies) == 2 and all(400 <= ms <= 520 for ms in latencies)
    assert sounded > 50, "the answers are heard"
    best = 2 * Rewards.ANSWER + Rewards.WAITING_A_SECOND * sum(latencies) / 1_000
    assert best - 0.5 <= total[0] <= best + 0.05, "what is missing: the answer before the caller went on"
    assert total[1] < Rewards.PREMATURE
    env.close()


def test_an_answer_that_sounds_is_cut_by_the_policy() -> None:
    def heard(action: int) -> tuple[int, float]:
        env = one_call("turns.wav")
        seen, _ = env.reset(seed=1)
        steps, total = 0, 0.0
        for _ in range(340):
            actions = silence_policy(env, seen, 0.1)
            sounds = seen[:, env.columns.index("answer")] > 0
            seen, rewards, *_ = env.step(np.where(sounds, action, actions))
            steps += int(sounds[0])
            total += float(rewards[0])
        env.close()
        return steps, total

    held, cut = heard(Action.HOLD), heard(Action.INTERRUPT)
    assert cut[0] < held[0] / 2
    assert cut[1] < held[1]


def test_recordings_that_do_not_fit_are_refused() -> None:
    sound = np.zeros(100, np.float32)
    two = [Recording("a", rate, sound, ()) for rate in (8_000, 16_000)]
    with pytest.raises(ValueError, match="8000, 16000"):
        TurnTaking(1, recordings=two)
    with pytest.raises(ValueError, match="44100"):
        labelled(rate_hz=44_100)
    with pytest.raises(ValueError, match="shape"):
        TurnTaking(2).step(np.zeros(3, np.int64))
