"""Does a connection to Azure work, and if not, what is missing: in Azure's own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from azure.core.pipeline import Pipeline
from azure.core.rest import HttpRequest

from arm import providers, queries
from arm.account import transport_for
from arm.clusters import ClusterOperations
from arm.errors import ArmError, translate
from arm.graph import GraphOperations
from arm.ids import ClusterId, scope_path
from arm.permissions import PermissionOperations, missing
from arm.providers import ProviderOperations

REQUIRED_PROVIDERS = (providers.CONFIGURATION, providers.AKS, providers.ARC)
REQUIRED_ACTIONS = tuple(
    f"{providers.CONFIGURATION}/{kind}/{verb}"
    for kind in ("fluxConfigurations", "extensions")
    for verb in ("read", "write", "delete")
)
CLUSTER_ACTIONS = {
    "managedClusters": tuple(f"{providers.AKS}/managedClusters/{it}" for it in ("read", "write")),
    "connectedClusters": tuple(
        f"{providers.ARC}/connectedClusters/{it}" for it in ("read", "write")
    ),
}
FEDERATED_ACTIONS = (
    "Microsoft.ManagedIdentity/userAssignedIdentities/read",
    *(
        f"Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/{it}"
        for it in ("read", "write", "delete")
    ),
)
"""Needed only where the portal writes the trust of workload identity."""
_GROUPS_CHECKED = 5


@dataclass(frozen=True)
class Check:
    """One finding. ``name`` and ``code`` are fixed words to branch on; ``detail`` is for people.

    Names: ``endpoint``, ``sign_in``, ``subscription``, ``provider``, ``permission``, ``graph``.
    ``scope`` says which subscription, provider or resource group, where there is more than one.
    """

    name: str
    ok: bool
    detail: str = ""
    code: str = ""
    scope: str = ""


class ConnectionChecks(
    ClusterOperations, ProviderOperations, PermissionOperations, GraphOperations
):
    def test_connection(self) -> list[Check]:
        """Try everything that the portal needs, in order; later ones wait for earlier ones.

        Nothing is altered. Never raises ``ArmError``: that is what the findings are for.
        """
        found = [self._check("endpoint", self._reach)]
        if found[-1].ok:
            found.append(self._check("sign_in", self.sign_in))
        if not found[-1].ok:
            return found
        for subscription_id in self.account.subscription_ids:
            found.extend(self._check_subscription(subscription_id))
        found.append(self._check("graph", self._ask_graph))
        return found

    def _check(self, name: str, do: Callable[[], str], scope: str = "") -> Check:
        try:
            return Check(name, True, do(), scope=scope)
        except ArmError as error:
            return Check(name, False, error.message, error.code, scope)

    def _check_subscription(self, subscription_id: str) -> list[Check]:
        seen = self._check(
            "subscription", lambda: self._see_subscription(subscription_id), subscription_id
        )
        if not seen.ok:
            return [seen]
        return [
            seen,
            *(self._check_provider(subscription_id, name) for name in REQUIRED_PROVIDERS),
            *self._check_permissions(subscription_id),
        ]

    def _check_provider(self, subscription_id: str, namespace: str) -> Check:
        scope = f"/subscriptions/{subscription_id}/providers/{namespace}"
        try:
            state = self.provider_state(subscription_id, namespace)
        except ArmError as error:
            return Check("provider", False, error.message, error.code, scope)
        registered = state == providers.REGISTERED
        return Check("provider", registered, state, "" if registered else state, scope)

    def _check_permissions(self, subscription_id: str) -> list[Check]:
        """Rights are given by resource group as often as by subscription: look at the clusters'."""
        try:
            clusters = self.list_clusters(subscription_id)
        except ArmError as error:
            scope = f"/subscriptions/{subscription_id}"
            return [Check("permission", False, error.message, error.code, scope)]
        groups = {ClusterId.parse(it["id"]).group_id for it in clusters}
        scopes = sorted(str(group) for group in groups)[:_GROUPS_CHECKED]
        return [
            self._check_scope(scope) for scope in scopes or [f"/subscriptions/{subscription_id}"]
        ]

    def _check_scope(self, scope: str) -> Check:
        try:
            held = self.permissions(scope)
        except ArmError as error:
            return Check("permission", False, error.message, error.code, scope)
        lacking = missing(held, REQUIRED_ACTIONS)
        code = "AuthorizationFailed" if lacking else ""
        return Check("permission", not lacking, ", ".join(lacking), code, scope)

    def _reach(self) -> str:
        """Any answer at all will do, and no token is shown yet."""
        url = f"{self.account.cloud.arm_endpoint}/metadata/endpoints?api-version=2022-09-01"
        failure: ArmError | None = None
        try:
            Pipeline(transport_for(self.account)).run(
                HttpRequest("GET", url),
                connection_timeout=self._timeouts.connect,
                read_timeout=self._timeouts.read,
            )
        except Exception as error:
            failure = translate(error, secrets=self.account.secrets)
        if failure:
            raise failure
        return self.account.cloud.arm_endpoint

    def _see_subscription(self, subscription_id: str) -> str:
        scope = scope_path(f"/subscriptions/{subscription_id}")
        url = f"{self.account.cloud.arm_endpoint}{scope}"
        found = self._send("GET", f"{url}?api-version=2022-12-01").json() or {}
        return str(found.get("displayName", ""))

    def _ask_graph(self) -> str:
        pages = self.query_graph(
            queries.clusters(), subscriptions=self.account.subscription_ids, page_size=1
        )
        return str(sum(page.total for page in islice(pages, 1)))
