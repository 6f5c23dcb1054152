"""Every time limit of an attempt, derived in one place: beats, silence, leases and timeouts depend on each other.

An attempt beats every `BEAT`. The SDK passes a beat on at most every `THROTTLE`, so the server last heard of a process
that stops at most `BEAT + THROTTLE` ago, and takes the attempt for dead `HEARTBEAT` after that at the latest.

A claim is a lease by the database's clock. Its holder measures the same span by its own monotonic clock, from before
the statement that wrote it, and so always takes it for over before the database does.
"""

from datetime import timedelta
from typing import Final

BEAT: Final = timedelta(seconds=2)
"""How often an attempt beats and renews its claim. Reckoned into `SILENCE_LEAST`."""
THROTTLE: Final = timedelta(seconds=2)
"""The longest that the SDK keeps a beat back (`max_heartbeat_throttle_interval`; by itself 80 % of the timeout)."""
HEARTBEAT: Final = timedelta(seconds=15)
"""The server takes an attempt for dead after this much silence. A busy machine must not be taken for a dead one."""
SILENCE_LEAST: Final = HEARTBEAT - BEAT - THROTTLE
"""The shortest stand-still after which another attempt may begin."""
LEASE: Final = SILENCE_LEAST
"""For how long a claim stands without being renewed: no other attempt settles its doubt before that, and its holder
begins no hand-over after it. No longer than the silence, so that a dead attempt's message is not waited for twice."""
QUEUED: Final = timedelta(seconds=30)
"""How long a decision may wait for a worker before it is made anew."""
TURN: Final = timedelta(seconds=10)
"""How long a claimed message waits for its turn at a provider whose rate is bounded (`?rate=`)."""
SMTP_GREETING: Final = timedelta(seconds=20)
"""How long an SMTP relay may take until it wants the message. Hanging up by then leaves no doubt."""
SMTP_LAST_WORD: Final = timedelta(minutes=5)
"""How long an SMTP relay may take after the message. Who hangs up earlier gets it sent twice (RFC 5321 4.5.3.2.6
asks for ten minutes; relays that need more than five are not known)."""
REQUEST: Final = timedelta(seconds=30)
"""How long one request to a provider's HTTP API may take in all."""
RECORDING: Final = timedelta(minutes=5)
"""How long an attempt tries to write down what it alone knows while the database is away."""
MOST_PROVIDERS: Final = 4
"""So many providers of one channel are asked in one attempt, one after the other, while each is certainly busy."""
ATTEMPT: Final = timedelta(minutes=30)
"""The longest attempt. A hand-over is never cut off, so this is longer than every provider's slowest last word and the
recording together."""
CLOSING: Final = timedelta(seconds=15)
MENDING: Final = timedelta(minutes=1)
