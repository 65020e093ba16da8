"""Services in Python: a worker process answers the calls of an engine over shared memory.

    from mynah.worker import Call, serve

    async def reply(call: Call):
        yield f"You said: {call.text}"

    serve(reply)

Needs `pip install 'mynah[worker]'` (iceoryx2 0.10.0 and NumPy), and neither libmynah nor Gymnasium. NumPy is imported
by what handles audio.
"""

from __future__ import annotations

from mynah.worker._call import Call, Hears, Speaks
from mynah.worker._cancel import Cancelled, CancelToken
from mynah.worker._ending import Ended, WorkerEnd
from mynah.worker._output import Output, Partial, ToolCall
from mynah.worker._serve import serve

__all__ = [
    "Call",
    "CancelToken",
    "Cancelled",
    "Ended",
    "Hears",
    "Output",
    "Partial",
    "Speaks",
    "ToolCall",
    "WorkerEnd",
    "serve",
]
