"""Ids are counted once, seen once and remembered within bounds, whatever comes in whatever order."""

from __future__ import annotations

import json
import random
from typing import Any

from mynah.client._delivery import ACKS_MAX, FATES_MAX, WATCHED_MAX, WINDOW_MAX, Delivery, Window
from mynah.client._figures import Figures
from mynah.client._wire import Ack


def delivery() -> tuple[Delivery, Figures]:
    """One that writes only what is asked here."""
    figures = Figures()

    def seal(message_id: int, message_type: Any, about: Any) -> str:
        return json.dumps({"id": message_id, **message_type})

    return Delivery(seal, 0.05, figures), figures


def polled(found: Delivery, now_s: float) -> list[Any]:
    """All that is to be sent now."""
    sent = []
    while (text := found.poll(now_s)) is not None:
        sent.append(json.loads(text))
    return sent


def test_a_window_agrees_with_one_that_forgets_nothing() -> None:
    for seed in range(20):
        dice, window, newest = random.Random(seed), Window(), 0
        seen: set[int] = set()
        for _ in range(4_000):
            message_id = max(0, newest + dice.randint(-700, 3))
            greatest = sorted(seen)[-WINDOW_MAX:]
            # As long as nothing was pushed out, everything is known.
            known = len(seen) <= WINDOW_MAX or message_id > greatest[0] or message_id in greatest
            found = window.note(message_id)
            if message_id in seen and message_id in greatest:
                assert found is False, f"seed {seed}, id {message_id}"
            elif known and len(seen) < WINDOW_MAX:
                assert found is True, f"seed {seed}, id {message_id}"
            elif found:
                assert message_id not in seen, f"seed {seed}: id {message_id} took effect twice"
            if found:
                seen.add(message_id)
                newest = max(newest, message_id)
        assert len(window._ids) <= WINDOW_MAX


def test_what_is_older_than_the_window_is_neither_new_nor_acknowledged() -> None:
    found, figures = delivery()
    for message_id in range(1, WINDOW_MAX + 2):
        assert found.received(message_id, wants_receipt=True)
    acks = polled(found, 0)
    assert len(acks) == WINDOW_MAX + 1 and acks[0] == {
        "id": 1,
        "Ack": {"message_id": 1, "stage": "Delivered"},
    }
    assert not found.received(1, wants_receipt=True)
    assert polled(found, 0) == [] and figures.too_old == 1
    assert not found.received(2, wants_receipt=True)
    assert len(polled(found, 0)) == 1 and figures.repeated == 1


def test_applied_is_said_once_and_again_for_each_repeat() -> None:
    found, _ = delivery()
    found.received(7, wants_receipt=True)
    found.applied(7)
    found.applied(7)
    stages = [message["Ack"]["stage"] for message in polled(found, 0)]
    assert stages == ["Delivered", "Applied"]
    found.received(7, wants_receipt=True)
    assert [message["Ack"]["stage"] for message in polled(found, 0)] == ["Delivered", "Applied"]
    # An event is recognised, and nobody waits for its receipt.
    assert found.received(8, wants_receipt=False) and not found.received(8, wants_receipt=False)
    assert polled(found, 0) == []


def test_new_messages_do_not_wait_for_old_ones() -> None:
    found, _ = delivery()
    first = found.send({"Respond": {}}, {})
    assert [message["id"] for message in polled(found, 1.0)] == [first]
    assert found.next_due_s() == 1.05
    second = found.send({"EndTurn": {}}, {})
    assert found.next_due_s() == 0.0
    assert [message["id"] for message in polled(found, 1.01)] == [second]
    assert [message["id"] for message in polled(found, 1.055)] == [first]
    assert [message["id"] for message in polled(found, 1.065)] == [second]


def test_a_new_connection_brings_what_is_not_applied_once_more_in_order() -> None:
    found, figures = delivery()
    ids = [found.send({"Respond": {}}, {}) for _ in range(4)]
    polled(found, 0.0)
    found.acknowledged(Ack(ids[0], applied=False))
    found.acknowledged(Ack(ids[1], applied=True))
    for now_s in (0.06, 0.12):
        polled(found, now_s)
    found.reconnected()
    assert [message["id"] for message in polled(found, 9.0)] == [ids[0], *ids[2:]]
    # Who was delivered once is not given up, though nobody answers.
    for tries in range(8):
        polled(found, 10.0 + tries)
    assert [found.fate(i).failed for i in ids] == [False, False, True, True]
    assert (figures.failed, figures.acked, found.unacknowledged) == (2, 2, 0)


def test_ids_go_on_behind_those_that_the_server_knows() -> None:
    found, _ = delivery()
    found.continue_after(41)
    found.continue_after(7)
    assert found.send({"Respond": {}}, {}) == 42


def test_memory_is_bounded() -> None:
    found, figures = delivery()
    for i in range(3 * FATES_MAX):
        found.acknowledged(Ack(found.send({"Respond": {}}, {}), applied=False))
        found.received(i + 1, wants_receipt=True)
    assert (len(found._fates), len(found._watched)) == (FATES_MAX, WATCHED_MAX)
    assert figures.receipts_dropped == 3 * FATES_MAX - ACKS_MAX > 0
    assert len(polled(found, 0)) == ACKS_MAX
