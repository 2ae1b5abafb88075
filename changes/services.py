"""What other apps and the views call: every act on a change, one transaction each.

All of them raise changes.errors.ChangeRefused (text for people, `code` for programs) for what
the state, the rights or the policy do not allow, and then alter nothing.
"""

from __future__ import annotations

from changes.apply import change_review_again, operation_retry
from changes.expiry import change_expire_due
from changes.reviews import comment_add, review_add
from changes.submit import change_submit, change_withdraw

__all__ = [
    "change_expire_due",
    "change_review_again",
    "change_submit",
    "change_withdraw",
    "comment_add",
    "operation_retry",
    "review_add",
]
