"""What was said is told once, whole, and only when it holds."""

from __future__ import annotations

from mynah.client import (
    CancelSpeculation,
    EndOfSpeech,
    RetractEndOfSpeech,
    SpeechStarted,
    Transcript,
    Transcripts,
)
from mynah.client._transcripts import OPEN_MAX


def heard(text: str, revision: int, last: bool = False, segment: str = "s") -> Transcript:
    """A piece."""
    return Transcript(text, last, segment=segment, revision=revision, turn=1)


def ended(revision: int, final: bool, segment: str = "s") -> EndOfSpeech:
    """An end."""
    return EndOfSpeech(1, final, segment=segment, revision=revision)


def told(*events: object) -> list[str]:
    """All that holds, in order."""
    transcripts = Transcripts()
    return [text for text in map(transcripts.take, events) if text is not None]


def test_pieces_of_the_revision_that_holds_are_joined() -> None:
    assert told(
        SpeechStarted("s", 0),
        ended(1, False),
        heard("two coffees", 1),
        heard("", 1, last=True),
        RetractEndOfSpeech(1, segment="s", revision=1),
        ended(2, False),
        heard("two coffees", 2),
        heard(" and a tea", 2),
        heard("", 2, last=True),
        ended(2, True),
    ) == ["two coffees and a tea"]


def test_the_end_may_hold_before_the_words_are_known() -> None:
    assert told(ended(1, True), heard("yes", 1, last=True)) == ["yes"]
    assert told(ended(1, True), heard("yes", 1)) == []
    # The words of another end.
    assert told(ended(2, True), heard("yes", 1, last=True)) == []


def test_noise_and_silence_say_nothing() -> None:
    noise = CancelSpeculation(0, 1, segment="s")
    assert told(heard("hm", 1, last=True), noise, ended(1, True)) == []
    assert told(heard("", 1, last=True), ended(1, True)) == []


def test_what_was_typed_is_of_no_segment() -> None:
    typed = [
        Transcript("two", False, turn=4),
        Transcript("teas", False, turn=4),
        Transcript("", True, turn=4),
    ]
    assert told(*typed) == ["two teas"]


def test_what_never_ends_is_forgotten() -> None:
    transcripts = Transcripts()
    for number in range(3 * OPEN_MAX):
        assert transcripts.take(heard("x", 1, segment=str(number))) is None
    assert len(transcripts._open) == OPEN_MAX
    newest = str(3 * OPEN_MAX - 1)
    assert transcripts.take(heard("y", 1, last=True, segment=newest)) is None
    assert transcripts.take(ended(1, True, segment=newest)) == "x y"
