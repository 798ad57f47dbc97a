"""Armed faults meet the frames of a subscription here; unarmed, every frame goes out once and in order."""

from __future__ import annotations

from recio.exchange_sim.faults.faults import Faults
from recio.exchange_sim.faults.kinds import FaultKind
from recio.exchange_sim.wire.ws.subscriptions import BOOK, SEQUENCED, Subscription

KINDS = (
    FaultKind.SKIP_SEQ,
    FaultKind.PHANTOM_LEVEL,
    FaultKind.STRANGE_FRAME,
    FaultKind.SWAP_FRAMES,
    FaultKind.DUPLICATE_FRAME,
)
_STRANGER = b'{"type":"venue_notice","sid":%d,"msg":{"notice":"unscheduled","severity":{"level":"teal"}}}'
_NOVELTY = b',"novel_figure":{"kind":"unheard_of","parts":[1,null]}}'


def armed(faults: Faults) -> bool:
    return any(faults.counts.get(kind) for kind in KINDS)


def send(faults: Faults, subscription: Subscription, kind: bytes, body: bytes, command_id: int) -> None:
    """Put a frame in the queue, or whatever an armed fault makes of it."""
    if subscription.channel == BOOK and faults.take(FaultKind.SKIP_SEQ):
        subscription.number()
        return
    if kind == b"orderbook_delta" and faults.take(FaultKind.PHANTOM_LEVEL):
        return
    if faults.take(FaultKind.STRANGE_FRAME):
        subscription.put(_STRANGER % subscription.sid)
        body = body[:-1] + _NOVELTY
    frame = subscription.frame(kind, body, command_id)
    if subscription.channel not in SEQUENCED:
        subscription.put(frame)
    elif subscription.held is not None:
        held, subscription.held = subscription.held, None
        subscription.put(frame)
        subscription.put(held)
    elif faults.take(FaultKind.SWAP_FRAMES):
        subscription.held = frame
    else:
        subscription.put(frame)
        if faults.take(FaultKind.DUPLICATE_FRAME):
            subscription.put(frame)
