"""How patient a producer is, whatever the exchange."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """In seconds. Tests shorten them; what exchanges prescribe is in `Exchange`."""

    open_s: float = 10.0
    acknowledge_s: float = 10.0
    prove_s: float = 1.0  # between two pings of the WebSocket protocol
    stall_s: float = 5.0  # unread for longer, the exchange may have thinned out what waits for us
    first_backoff_s: float = 1.0
    longest_backoff_s: float = 60.0
    stable_s: float = 30.0  # after so long a life the backoff begins anew
    heartbeat_s: float = 1.0
    context_s: float = 600.0
    listing_retry_s: float = 5.0
