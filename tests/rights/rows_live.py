"""Without the token of a page that one was shown the stream is closed to everybody.

What a token opens is tests/live's matter.
"""

from __future__ import annotations

from tests.rights.matrix import NOBODY, Row

ROWS = [Row(url="live:events", allowed=NOBODY)]
