"""Events and sound are what happened, in arrays that are the caller's."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import play

import mynah
from mynah import Kind


def test_events_say_who_spoke_and_when(turns: np.ndarray) -> None:
    sound = np.zeros((2, 20_000), np.float32)
    with mynah.VoiceVec("gate_only", 2) as vec:
        assert (vec.samples, vec.out_samples) == (320, 320)
        events = []
        for step in range(170):
            pcm = np.zeros((2, 320), np.float32)
            pcm[1] = turns[step * 320 :][:320]
            given = vec.step(pcm)
            assert given.out.shape == (2, 320) and given.out.dtype == np.float32
            assert given.got.shape == (2,) and given.got.dtype == np.uint32
            assert np.all(given.events["t_us"] <= vec.now_us)
            events.append(given.events)
    told = np.concatenate(events)
    assert set(told["session"]) == {1}, "who is silent has nothing to tell"
    of = {kind: told[told["kind"] == kind] for kind in Kind}
    assert of[Kind.SPEECH_STARTED]["segment"].tolist() == [1, 2]
    # The labels: 282 to 2507 ms, then from 3323 ms on; the beginning has its pre-roll.
    assert abs(int(of[Kind.SPEECH_STARTED]["from_us"][0]) - 282_000) < 200_000
    last = of[Kind.END_OF_SPEECH][of[Kind.END_OF_SPEECH]["flags"] == mynah.EventFlags.LAST]
    assert abs(int(last["until_us"][0]) - 2_507_000) < 120_000
    assert told.dtype.names is not None and "user" not in told.dtype.names
    assert sound.sum() == 0


def test_answers_sound_and_have_texts(turns: np.ndarray) -> None:
    with mynah.VoiceVec("barge_in", 1) as vec:
        steps = play(vec, turns, 320)
    sounding = sum(int(step.got[0]) for step in steps)
    assert sounding > 16_000
    heard = np.concatenate([step.out[0] for step in steps])
    assert np.abs(heard).max() > 0.05
    texts = [
        (Kind(event["kind"]), step.text(i), step.spoken(i))
        for step in steps
        for i, event in enumerate(step.events)
    ]
    transcripts = [text for kind, text, _ in texts if kind == Kind.TRANSCRIPT]
    assert any(text and text.startswith("speech of ") for text in transcripts)
    parts = [part for kind, _, spoken in texts if kind == Kind.SPOKEN for part in spoken]
    assert {part.what for part in parts} >= {mynah.What.WORD, mynah.What.PHONE}
    assert all(part.from_us <= part.until_us for part in parts)
    assert mynah.viseme_name(next(part.viseme for part in parts if part.what == mynah.What.PHONE))


def test_texts_live_until_the_next_step_or_are_kept(turns: np.ndarray) -> None:
    with mynah.VoiceVec("barge_in", 1) as vec:
        silence = np.zeros((1, 320), np.float32)
        vec.say(0, "Halt! Who goes there?")
        step = vec.step(silence)
        while not any(step.events["kind"] == Kind.LINE):
            step = vec.step(silence)
        at = int(np.flatnonzero(step.events["kind"] == Kind.LINE)[0])
        assert step.text(at) == "Halt! Who goes there?"
        kept = vec.step(silence).keep()
        with pytest.raises(RuntimeError, match="until the next"):
            step.text(at)
        with pytest.raises(IndexError):
            step.text(len(step.events))
        vec.step(silence)
        assert [kept.text(i) for i in range(len(kept.events))] == [
            kept.text(i) for i in range(len(kept.events))
        ]
        last = vec.step(silence)
    if len(last.events):
        with pytest.raises(RuntimeError):
            last.text(0)


def test_arrays_of_a_step_are_not_used_again(turns: np.ndarray) -> None:
    with mynah.VoiceVec("barge_in", 2) as vec:
        steps = play(vec, turns, 200)
        copies = [(step.out.copy(), step.got.copy(), step.events.copy()) for step in steps]
        play(vec, turns, 50)
        for step, (out, got, events) in zip(steps, copies, strict=True):
            assert np.array_equal(step.out, out) and np.array_equal(step.got, got)
            assert step.events.tobytes() == events.tobytes()


def test_holding_keeps_the_turn_open_and_responding_ends_it(turns: np.ndarray) -> None:
    utterance = turns[: 16 * 2_700]

    def ends(hold: bool) -> list[int]:
        """Engine times, ms, at which an answer begins; the policy answers at 6 s."""
        with mynah.VoiceVec("barge_in", 1) as vec:
            sound = np.concatenate([utterance, np.zeros(16 * 6_000, np.float32)])
            begun = []
            for step in range(400):
                if hold and vec.now_us == 2_000_000:
                    vec.hold(0)
                if hold and vec.now_us == 6_000_000:
                    vec.respond(0)
                given = vec.step(sound[None, step * 320 :][:, :320])
                begun += given.events["t_us"][given.events["kind"] == Kind.ANSWER_STARTED].tolist()
            return [us // 1_000 for us in begun]

    alone, held = ends(False), ends(True)
    assert len(alone) == 1 and alone[0] < 3_500
    assert len(held) == 1 and 6_000 < held[0] < 6_500


@pytest.mark.parametrize("scene", ["barge_in", "gate_only"])
def test_longer_steps_leave_no_holes(turns: np.ndarray, scene: str) -> None:
    about = {"SPEECH_CONFIRMED", "ANSWER_STARTED", "ANSWER_INTERRUPTED", "ANSWER_ENDED"}

    def heard(step_ms: int) -> tuple[int, list[str]]:
        """Frames of sound, and what happened, in 14 s."""
        with mynah.VoiceVec(scene, 1, step_ms=step_ms) as vec:
            sound = np.zeros(16 * 14_000, np.float32)
            sound[: len(turns)] = turns
            steps = [vec.step(piece[None]) for piece in sound.reshape(-1, vec.samples)]
        told = [Kind(kind).name for step in steps for kind in step.events["kind"].tolist()]
        return sum(int(step.got[0]) for step in steps), sorted(name for name in told if name in about)

    frames, names = heard(20)
    for step_ms in (5, 50, 100, 500):
        other, told = heard(step_ms)
        assert told == names
        # What is cut is cut at a step's end; with holes three quarters would be missing.
        assert abs(other - frames) <= 16 * (step_ms + 20)


TEXTS = """(
    name: "texts",
    tick: (period_ms: 5, min_gap_us: 1000),
    session: (input: (rate_hz: 16000, channels: 1, chunk_ms: 20), output: (release: OnConfirm, pace: Burst)),
    nodes: [
        (id: "gate", kind: VadGate(vad: Silero)),
        (id: "asr", kind: Service(service: "asr", task: Transcribe)),
    ],
    edges: [("input", "gate"), ("gate", "asr"), ("asr", "output")],
    services: {"asr": (output: SimulatedTranscript, timing: (latency: Fixed(ms: 20)))},
)"""


def test_a_scene_may_put_out_texts_alone(turns: np.ndarray) -> None:
    with mynah.VoiceVec(TEXTS, 2) as vec:
        assert vec.out_samples == 0 and vec.formats.output_rate_hz == 0
        steps = play(vec, turns, 200)
    assert steps[0].out.shape == (2, 0) and not any(step.got.any() for step in steps)
    texts = [
        step.text(i) for step in steps for i, event in enumerate(step.events) if event["kind"] == Kind.TEXT
    ]
    assert "speech of" in "".join(text or "" for text in texts)


def test_other_rates_and_channels() -> None:
    with mynah.VoiceVec(
        "barge_in", 2, input_rate=48_000, input_channels=2, output_rate=44_100, output_channels=2, step_ms=10
    ) as vec:
        assert (vec.samples, vec.out_samples) == (480, 441)
        vec.say(0, "Good evening.")
        heard = [vec.step(np.zeros((2, 480, 2), np.float32)) for _ in range(150)]
    assert heard[0].out.shape == (2, 441, 2)
    total = np.concatenate([step.out for step in heard], axis=1)
    assert np.abs(total[0]).max() > 0.05 and np.abs(total[1]).max() == 0
    assert np.array_equal(total[0, :, 0], total[0, :, 1])
