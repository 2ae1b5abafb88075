"""Workload identity of Flux's controllers: which federated credentials a cluster needs, and which
of them an identity has. Pure; the rules are the tutorial's and Azure's own:

issuer and subject together are unique in an identity, a name is too, and it has 20 at most.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arm import IdentityId
from arm.identities import AUDIENCES
from changes.kinds import Step
from clusters.extension_settings.checks import is_on

NAMESPACE = "flux-system"
AUDIENCE = AUDIENCES[0]
INFIX = "/federatedidentitycredentials/"
MOST = 20  # federated credentials of one identity
# Who signs in, for what: the first ones always run.
ALWAYS = ("source-controller", "kustomize-controller")
ACCOUNTS = (*ALWAYS, "image-reflector-controller", "image-automation-controller")
_NAME = re.compile(r"[^A-Za-z0-9_-]")

Credential = Mapping[str, Any]  # {"name", "issuer", "subject", "audiences"}


def subject_of(account: str) -> str:
    return f"system:serviceaccount:{NAMESPACE}:{account}"


def credential_id(identity_id: str, name: str) -> str:
    """The lower-case ARM id of a credential of this name."""
    return f"{IdentityId.parse(identity_id)}{INFIX}{name}".lower()


def identity_of(step: Step) -> IdentityId:
    """The identity whose credential the step writes."""
    return IdentityId.parse(step.resource_id.partition(INFIX)[0])


def accounts_for(settings: Mapping[str, str]) -> tuple[str, ...]:
    """The service accounts whose controllers run with these settings and sign in to Azure."""
    return tuple(it for it in ACCOUNTS if it in ALWAYS or is_on(settings, f"{it}.enabled"))


@dataclass(frozen=True)
class Need:
    """One service account. `present` and `wrong_audience` name the credential that is there;
    `missing` the one that would be made; `elsewhere` those that trust it on other clusters."""

    account: str
    subject: str
    name: str
    state: str  # present, wrong_audience, missing
    taken: str = ""  # the name that it would have had, if something else holds it
    elsewhere: tuple[str, ...] = ()
    existing: Credential | None = None


def needs_of(
    cluster_name: str, issuer: str, accounts: Iterable[str], credentials: Sequence[Credential]
) -> list[Need]:
    """What each account has and lacks in this identity."""
    names = {str(it["name"]).lower() for it in credentials}
    return [_need(cluster_name, issuer, account, credentials, names) for account in accounts]


def _need(
    cluster_name: str,
    issuer: str,
    account: str,
    credentials: Sequence[Credential],
    names: set[str],
) -> Need:
    subject = subject_of(account)
    same = [it for it in credentials if it["subject"] == subject]
    elsewhere = tuple(str(it["name"]) for it in same if it["issuer"] != issuer)
    mine = next((it for it in same if it["issuer"] == issuer), None)
    if mine is not None:
        state = "present" if AUDIENCE in mine["audiences"] else "wrong_audience"
        return Need(account, subject, str(mine["name"]), state, elsewhere=elsewhere, existing=mine)
    wanted = name_of(cluster_name, account)
    name, number = wanted, 2
    while name.lower() in names:
        name, number = f"{wanted[:116]}-{number}", number + 1
    taken = wanted if name != wanted else ""
    return Need(account, subject, name, "missing", taken=taken, elsewhere=elsewhere)


def name_of(cluster_name: str, account: str) -> str:
    """3 to 120 letters, digits, hyphens and underscores, as Azure wants a name."""
    return _NAME.sub("-", f"flux-{cluster_name}-{account}")[:120]


def of_cluster(issuer: str, credentials: Iterable[Credential]) -> list[Credential]:
    """Those that trust Flux's own accounts on this very cluster: what an undo deletes."""
    subjects = {subject_of(it) for it in ACCOUNTS}
    return [it for it in credentials if it["issuer"] == issuer and it["subject"] in subjects]


def too_many(needs: Iterable[Need], credentials: Sequence[Credential]) -> int:
    """How many more than an identity can have; 0 where all fit."""
    new = sum(it.state == "missing" for it in needs)
    return max(0, len(credentials) + new - MOST)
