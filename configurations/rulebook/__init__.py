"""Every known failure of Flux on Azure: recognised by its message, with cause and remedy.

The first entry whose pattern occurs wins, so narrow ones come before wide ones. Sources: texts of
the Flux 2.7 controllers, and the troubleshooting pages of Azure's GitOps documentation.
"""

from __future__ import annotations

from functools import lru_cache

from clusters.cluster_symptoms import CLUSTER_SYMPTOMS
from clusters.rulebook import Symptom, first_of
from configurations.rulebook.helm import HELM_SYMPTOMS
from configurations.rulebook.kustomizations import KUSTOMIZATION_SYMPTOMS
from configurations.rulebook.sources import SOURCE_SYMPTOMS

RULES: tuple[Symptom, ...] = (
    *CLUSTER_SYMPTOMS,
    *HELM_SYMPTOMS,
    *KUSTOMIZATION_SYMPTOMS,
    *SOURCE_SYMPTOMS,
)


_BY_CODE = {rule.code: rule for rule in RULES}


def entry(code: str) -> Symptom | None:
    """The entry of this code; None for one that a row kept from an older book."""
    return _BY_CODE.get(code)


@lru_cache(maxsize=2000)
def advice_for(message: str, *, reason: str = "") -> Symptom | None:
    """The first entry that knows this message (or reason); None for an unknown one."""
    return first_of(RULES, message, reason)
