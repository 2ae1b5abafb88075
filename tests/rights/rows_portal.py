from __future__ import annotations

from tests.rights.matrix import Row

ROWS = [
    Row(url="home"),
    Row(url="healthz", open_to_all=True),
    Row(url="readyz", open_to_all=True),
    Row(url="metrics", open_to_all=True),
    Row(
        url="set_language",
        method="post",
        data=lambda _s: {"language": "en"},
        ok=302,
        open_to_all=True,
    ),
]
