"""Why the microsoft.flux extension does not come up on a cluster.

Rules: azure-contract section 5.1; what is known of each is told in `traits.py`.
"""

from __future__ import annotations

from typing import Any

Fault = dict[str, str]
_PREFIX = "Error: {failed to install chart from path [] for release [flux]: err [%s]} occurred "
_PREFIX += "while doing the operation : {Installing the extension} on the config"
_AGENT = (
    "in getting auth header : error {adal: Refresh request failed. Status Code = '404'. Response "
    "body: no azure identity found for request clientID 0f1e...9c3a (REDACTED)\n} "
    "Unable to get the status from the local CRD with the error : {Error : Retry for given "
    "duration didn't get any results with err {status not populated}}"
)
_UNTYPED_NIL = (
    "Unable to render the Helm chart with the provided config settings and config protected "
    "settings : Recommendation Please check if the values provided to the config settings and "
    "config protected settings are valid for this extension type : InnerError [template: "
    "flux/templates/source-controller.yaml:128:19: executing at <$.Values.global.AZURE_TENANT_ID>: "
    "error calling index: index of untyped nil]"
)
# The release 1.16.2 was broken in these regions alone.
_BROKEN_REGIONS = ("westcentralus", "francecentral", "uksouth", "westeurope")


def install_fault(
    traits: dict[str, Any], *, kind: str, region: str, version: str, operation: str
) -> Fault | None:
    """Return code and message of what stands against the extension; None where nothing does."""
    message = _version_fault(version, region) or _trait_fault(traits, kind, region)
    if not message:
        return None
    creating = operation == "Creating"
    code = "ExtensionCreationFailed" if creating else "ExtensionOperationFailed"
    return {"code": code, "message": message}


def _version_fault(version: str, region: str) -> str:
    numbers = tuple(int(part) for part in version.split(".") if part.isdigit())
    broken = numbers == (1, 16, 2) and region.lower().replace(" ", "") in _BROKEN_REGIONS
    return _UNTYPED_NIL if numbers <= (1, 15, 1) or broken else ""


def _trait_fault(traits: dict[str, Any], kind: str, region: str) -> str:
    if traits.get("pod_identity"):
        return _AGENT
    if traits.get("dataplane_blocked"):
        host = f"{region}.dp.kubernetesconfiguration.azure.com"
        return f'Post "https://{host}/": dial tcp: i/o timeout'
    inner = ""
    if traits.get("policy_blocks_flux"):
        inner = (
            'admission webhook "validation.gatekeeper.sh" denied the request: '
            "[azurepolicy-k8sazurev1blockednamespaces] namespace flux-system is not allowed"
        )
    elif traits.get("gatekeeper_limits"):
        inner = (
            'admission webhook "validation.gatekeeper.sh" denied the request: '
            "[azurepolicy-k8sazurev3containerlimits] container <fluent-bit> has no resource limits"
        )
    elif traits.get("aks_automatic") and kind == "managedClusters":
        inner = (
            "ValidatingAdmissionPolicy 'aks-managed-protect-system-namespaces' with binding "
            "'aks-managed-protect-system-namespaces-binding' denied request: fluxconfig-controller "
            "is in CrashLoopBackOff"
        )
    elif traits.get("openshift_scc"):
        inner = (
            'pods "source-controller-" is forbidden: unable to validate against any security '
            "context constraint: [provider restricted: .spec.securityContext.fsGroup: Invalid "
            "value: []int64{1337}: 1337 is not an allowed group]"
        )
    return _PREFIX % inner if inner else ""
