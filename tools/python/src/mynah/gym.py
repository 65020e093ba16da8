"""Taking turns, as a Gymnasium environment: when has the caller finished, and when is the answer to stop?

`TurnTaking` is a `gymnasium.vector.VectorEnv` of N callers; `TurnTakingEnv` is the same with one caller, a
`gymnasium.Env`. Both are registered as "mynah/TurnTaking-v0" when this module is imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from mynah._calls import Callers
from mynah._senses import EVENTS, FEATURES, Senses, highs
from mynah.recordings import Recording, labelled
from mynah.sim import VoiceVec
from mynah.step import Step

__all__ = ["EVENTS", "FEATURES", "Action", "Rewards", "TurnTaking", "TurnTakingEnv"]

_SEEDS = 2**31


class Action(IntEnum):
    """What a policy does with a session in a step."""

    HOLD = 0
    """Nothing: the floor is the caller's, or the answer goes on."""
    SAY = 1
    """The caller's turn ends here, and the scene answers. Ignored where nothing was heard."""
    INTERRUPT = 2
    """What sounds or is to be answered is withdrawn. Ignored where no answer sounds."""


class Rewards:
    """What a step is worth, in points. A perfect call has one point an utterance.

    Labels, not the engine, say who speaks and who waits for an answer. A point for answering who waits; each second of
    his waiting costs one, so an answer after 0.4 s is worth 0.6. An answer to who has not finished is premature, and
    costs two. An answer that nobody waits for, or an answer cut off while nobody speaks, costs half a point, and each
    second in which an answer sounds over the caller's speech costs one.
    """

    ANSWER: ClassVar[float] = 1.0
    WAITING_A_SECOND: ClassVar[float] = -1.0
    PREMATURE: ClassVar[float] = -2.0
    NEEDLESS: ClassVar[float] = -0.5
    OVER_SPEECH_A_SECOND: ClassVar[float] = -1.0


class TurnTaking(VectorEnv):
    """N callers, each a labelled recording; the policy decides each step who is answered.

    Observations: float32 [N, columns], `EVENTS` of the step and, with features, `FEATURES`. They come from the engine
    alone. Actions: `Action`, [N]. Rewards: `Rewards`. A call terminates when the recording and `tail_ms` of silence are
    over; it is never truncated.

    Infos, [N] each: `speaking` and `waiting` (by the labels, before the next step), `answered` and `premature` (in this
    step), and `latency_ms` of the answers, which `_latency_ms` masks.

    The scene's gate ends a turn by itself only after 10 s of silence, so that to hold is to do nothing; what the caller
    seems to have finished is recognised and answered meanwhile, and `SAY` lets it sound.

    Autoreset is one of Gymnasium's three modes, the next step's by default; without it `reset` takes
    `options={"reset_mask": mask}`. The same seed and actions give the same calls bit for bit.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int = 1,
        *,
        scene: str | os.PathLike[str] = "barge_in",
        recordings: Iterable[Recording] | None = None,
        features: bool = True,
        settings: Iterable[str] = ("gate.min_silence_ms=10000",),
        step_ms: int = 20,
        lead_ms: int = 500,
        tail_ms: int = 2_000,
        threads: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        """N callers of a scene.

        `recordings`: all of one rate; `None`: those of the checkout at 16 kHz. `lead_ms`: most silence before a
        recording, drawn for each call. `tail_ms`: silence behind it, at most 10,000. The rest: `VoiceVec`.

        `ValueError`: no recordings, or of several rates.
        """
        callers = list(labelled() if recordings is None else recordings)
        rates = {recording.rate_hz for recording in callers}
        if len(rates) != 1:
            raise ValueError(f"recordings of {sorted(rates)} Hz; expected at least one, and one rate")
        if lead_ms < 0 or not 0 <= tail_ms <= 10_000:
            raise ValueError(f"lead_ms is {lead_ms}, tail_ms {tail_ms}; expected 0 or more, and 0 to 10000")
        self.num_envs = num_envs
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}
        self.columns: tuple[str, ...] = (*EVENTS, *(FEATURES if features else ()))
        """Names of the observations' columns."""
        self.single_observation_space = spaces.Box(0.0, highs(features), dtype=np.float32)
        self.single_action_space = spaces.Discrete(len(Action))
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.last_step: Step | None = None
        """What the sessions gave in the last step: sound, and events with texts."""
        self._features = features
        self._step_s = step_ms / 1_000
        self._vec = VoiceVec(
            scene, num_envs, threads=threads, step_ms=step_ms, settings=settings, input_rate=rates.pop()
        )
        self._callers = Callers(num_envs, callers, self._vec.samples, lead_ms, tail_ms)
        self._senses = Senses(num_envs)
        self._over = np.ones(num_envs, np.bool_)
        self._seen = np.zeros((num_envs, len(self.columns)), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begins all calls anew, or those of `options["reset_mask"]`, bool [N]."""
        super().reset(seed=seed)
        mask = (options or {}).get("reset_mask")
        if mask is None:
            self._vec.reset(seed=int(self.np_random.integers(_SEEDS)))
            self._begin(np.ones(self.num_envs, np.bool_))
        else:
            mask = np.asarray(mask)
            if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
                raise ValueError(
                    f"options['reset_mask'] is {mask!r}; expected bool [{self.num_envs}], one of them True"
                )
            self._restart(mask)
        return self._seen.copy(), self._infos()

    def _restart(self, which: NDArray[np.bool_]) -> None:
        self._vec.reset(which)
        self._begin(which)

    def _begin(self, which: NDArray[np.bool_]) -> None:
        self._callers.begin(which, self.np_random)
        self._senses.forget(which)
        self._over[which] = False
        silence = np.zeros((self.num_envs, self._vec.samples), np.float32)
        blank = np.zeros((self.num_envs, len(EVENTS)), np.float32)
        self._seen[which] = self._observed(blank, silence)[which]

    def _observed(self, events: NDArray[np.float32], pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.hstack([events, self._senses.features(pcm)]) if self._features else events

    def step(
        self, actions: NDArray[np.integer[Any]]
    ) -> tuple[
        NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Does what the policy says, and lets a step of time pass."""
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,):
            raise ValueError(f"actions have the shape {actions.shape}; expected ({self.num_envs},)")
        if self._over.any() and self.autoreset_mode != AutoresetMode.NEXT_STEP:
            raise ResetNeeded(f"calls {np.flatnonzero(self._over).tolist()} are over: reset them")
        # Calls that are over hear silence for a step, while the next ones begin.
        runs = ~self._over
        rewards, answered, premature, latency_ms = self._act(actions, runs)
        pcm = self._callers.hear()
        pcm[~runs] = 0.0
        given = self._vec.step(pcm)
        self.last_step = given
        events = self._senses.take_in(given, self._vec.step_ms * 1_000, runs)
        self._callers.go_on(runs)
        if not runs.all():
            self._restart(~runs)
        self._seen[runs] = self._observed(events, pcm)[runs]
        done = runs & self._callers.are_done()
        self._over = done.copy()
        infos = self._infos() | {
            "answered": answered,
            "premature": premature,
            "latency_ms": latency_ms,
            "_latency_ms": answered.copy(),
        }
        if self.autoreset_mode == AutoresetMode.SAME_STEP and done.any():
            infos |= self._final(done, infos)
            self._restart(done)
            infos |= self._infos()
        return self._seen.copy(), rewards, done, np.zeros(self.num_envs, np.bool_), infos

    def _act(
        self, actions: NDArray[np.integer[Any]], runs: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64]]:
        """Sends the actions; rewards, whose wait an answer ends, who is answered too early, and after how long."""
        speaks, waits, over = self._callers.state()
        heard, sounds = self._senses.open, self._senses.sounds
        says = runs & (actions == Action.SAY)
        cuts = runs & (actions == Action.INTERRUPT) & sounds
        for i in np.flatnonzero(says & heard).tolist():
            self._vec.respond(i)
        for i in np.flatnonzero(cuts).tolist():
            self._vec.interrupt(i)
        answered, premature = says & heard & waits, says & heard & speaks
        latency_ms = np.where(answered, self._callers.waited_ms(over), 0.0)
        self._callers.answered[answered] = over[answered]
        needless = (says & ~answered & ~premature) | (cuts & ~speaks)
        rewards = (
            answered * Rewards.ANSWER
            + premature * Rewards.PREMATURE
            + needless * Rewards.NEEDLESS
            + (runs & waits & ~answered) * (Rewards.WAITING_A_SECOND * self._step_s)
            + (runs & sounds & speaks & ~cuts) * (Rewards.OVER_SPEECH_A_SECOND * self._step_s)
        )
        return rewards, answered, premature, latency_ms

    def _infos(self) -> dict[str, Any]:
        speaks, waits, _ = self._callers.state()
        return {"speaking": speaks, "waiting": waits}

    def _final(self, done: NDArray[np.bool_], infos: dict[str, Any]) -> dict[str, Any]:
        """The last observations and infos of calls that are over, as `SyncVectorEnv` gives them."""
        last = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(done).tolist():
            last[i] = self._seen[i].copy()
        final = {name: values.copy() for name, values in infos.items()}
        return {"final_obs": last, "_final_obs": done.copy(), "final_info": final, "_final_info": done.copy()}

    def close_extras(self, **kwargs: Any) -> None:
        """Ends the sessions."""
        # Where the environment was refused there is none.
        vec: VoiceVec | None = getattr(self, "_vec", None)
        if vec is not None:
            vec.close()


class TurnTakingEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """One caller of `TurnTaking`: observations [columns], an `Action`, a reward, and infos without their axis."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None, **options: Any) -> None:
        """`options`: those of `TurnTaking` but the number of callers and the mode of autoreset."""
        if render_mode is not None:
            raise ValueError(f"render_mode is {render_mode!r}; there is nothing to see")
        self.calls = TurnTaking(1, autoreset_mode=AutoresetMode.DISABLED, **options)
        """The vector of one caller."""
        self.observation_space = self.calls.single_observation_space
        self.action_space = self.calls.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begins the call anew."""
        super().reset(seed=seed)
        # The one generator: what the caller draws is drawn from the environment's.
        self.calls.np_random = self.np_random
        seen, infos = self.calls.reset()
        return seen[0], _first(infos)

    def step(self, action: np.int64) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Does what the policy says, and lets a step of time pass."""
        seen, rewards, over, cut, infos = self.calls.step(np.array([action]))
        return seen[0], float(rewards[0]), bool(over[0]), bool(cut[0]), _first(infos)

    def close(self) -> None:
        """Ends the session."""
        self.calls.close()


def _first(infos: dict[str, Any]) -> dict[str, Any]:
    return {name: values[0].item() for name, values in infos.items() if not name.startswith("_")}


gymnasium.register(
    id="mynah/TurnTaking-v0",
    entry_point="mynah.gym:TurnTakingEnv",
    vector_entry_point="mynah.gym:TurnTaking",
)
