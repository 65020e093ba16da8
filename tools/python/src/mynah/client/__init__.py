"""Conversations with a server of mynah: audio and messages over one WebSocket.

    from mynah.client import Audio, Transcripts, connect

    async with connect("ws://127.0.0.1:8080", model="assistant") as session:
        await session.push(pcm)
        transcripts = Transcripts()
        async for event in session:
            if text := transcripts.take(event):
                print(text)
            if isinstance(event, Audio):
                play(event.data)

Needs `pip install 'mynah[client]'` (websockets), and neither libmynah nor NumPy.
"""

from __future__ import annotations

from mynah.client._errors import ClientError, Closed, Refused, Undelivered
from mynah.client._figures import Figures, Limits
from mynah.client._format import Clip, Format
from mynah.client._inbox import Event, takes_back
from mynah.client._messages import (
    AnswerEnded,
    AnswerInterrupted,
    AnswerPaused,
    AnswerResumed,
    AnswerStarted,
    BatchHint,
    CancelAnswer,
    CancelSpeculation,
    ConfirmSpeculation,
    Correction,
    DeadlineWarning,
    EndOfSpeech,
    Line,
    LineDropped,
    Message,
    ReplyCancelled,
    ReplyRequested,
    RetractEndOfSpeech,
    ServiceFailed,
    SessionClosed,
    ToolCall,
    Transcript,
)
from mynah.client._notes import (
    Audio,
    NotUnderstood,
    PartialTranscript,
    Probability,
    Resumed,
    SpeechStarted,
    Spoken,
    Stage,
    Text,
    Timed,
    Turn,
)
from mynah.client._opening import Opened
from mynah.client._session import Session, connect
from mynah.client._transcripts import Transcripts

__all__ = [
    "AnswerEnded",
    "AnswerInterrupted",
    "AnswerPaused",
    "AnswerResumed",
    "AnswerStarted",
    "Audio",
    "BatchHint",
    "CancelAnswer",
    "CancelSpeculation",
    "ClientError",
    "Clip",
    "Closed",
    "ConfirmSpeculation",
    "Correction",
    "DeadlineWarning",
    "EndOfSpeech",
    "Event",
    "Figures",
    "Format",
    "Limits",
    "Line",
    "LineDropped",
    "Message",
    "NotUnderstood",
    "Opened",
    "PartialTranscript",
    "Probability",
    "Refused",
    "ReplyCancelled",
    "ReplyRequested",
    "Resumed",
    "RetractEndOfSpeech",
    "ServiceFailed",
    "Session",
    "SessionClosed",
    "SpeechStarted",
    "Spoken",
    "Stage",
    "Text",
    "Timed",
    "ToolCall",
    "Transcript",
    "Transcripts",
    "Turn",
    "Undelivered",
    "connect",
    "takes_back",
]
