"""Every time limit of an attempt, derived in one place: beats, silence, leases and timeouts depend on each other.

An attempt beats every `BEAT`. The SDK passes a beat on at most every `THROTTLE`, so the server last heard of a process
that stops at most `BEAT + THROTTLE` ago, and another attempt begins `HEARTBEAT` after that at the latest.
"""

from datetime import timedelta
from typing import Final

BEAT: Final = timedelta(seconds=2)
"""How often an attempt beats. Reckoned into `SILENCE_LEAST`."""
THROTTLE: Final = timedelta(seconds=2)
"""The longest that the SDK keeps a beat back (`max_heartbeat_throttle_interval`; by default 80 % of the timeout)."""
HEARTBEAT: Final = timedelta(seconds=15)
"""The server takes an attempt for dead after this much silence. A busy machine must not be taken for a dead one."""
SILENCE_LEAST: Final = HEARTBEAT - BEAT - THROTTLE
"""The shortest stand-still after which another attempt may begin."""
LEASE: Final = SILENCE_LEAST
"""For how long a claim stands without being renewed: no other attempt settles its doubt before that, and its holder
begins no hand-over after it. It is renewed with every beat."""
QUEUED: Final = timedelta(seconds=30)
"""How long a decision may wait for a worker before it is made anew."""
ATTEMPT: Final = timedelta(minutes=30)
"""The longest attempt: longer than any provider takes over its last word, since a hand-over is never cut off."""
CLOSING: Final = timedelta(seconds=15)
MENDING: Final = timedelta(minutes=1)
