"""Why a check ends without a result: a code for programs and words for people."""

from __future__ import annotations


class CheckRefused(Exception):  # noqa: N818
    """The source cannot, or may not, be checked. `detail` is what a program said, if any."""

    def __init__(self, code: str, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail[:2000]
