"""What the controllers of Kubernetes make of workloads: replica sets, pods, their states.

Nothing here is stored: pods and states follow from an object, the time since it was written and
what the cluster holds, so that they cost nothing until somebody looks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from .objects import Manifest, ObjectKey, moment, timestamp
from .state import ClusterState
from .traits import out_of_memory

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
# A pod is ready so long after its object was written; the pace stretches it.
_START_SECONDS = 4.0
_IMAGE = re.compile(
    r"(?P<host>[a-zA-Z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
NODE = "aks-nodepool1-10240000-vmss000000"
_SOURCE_CONTROLLER = ("flux-system", "source-controller")
_NODE_CPU, _NODE_MEMORY = 8.0, 32 * 2**30


@dataclass(frozen=True, slots=True)
class Phase:
    """How a pod is: the word that kubectl shows, and whether it can still become ready."""

    word: str
    ready: bool
    message: str = ""


def written_at(manifest: Manifest) -> datetime:
    """Return when the content of an object was written last."""
    fields = manifest["metadata"].get("managedFields") or []
    return moment(fields[0]["time"] if fields else manifest["metadata"]["creationTimestamp"])


def code(seed: str, length: int) -> str:
    """Return a name part as Kubernetes makes them, the same for the same seed."""
    digest = hashlib.sha256(seed.encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:length])


def replicas(manifest: Manifest) -> int:
    if manifest["kind"] in ("DaemonSet", "Job"):
        return 1
    wanted = manifest["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def phase(state: ClusterState, manifest: Manifest) -> Phase:
    """Return the state that the pods of a workload are in now."""
    template = manifest["spec"].get("template") or {}
    pod = template.get("spec") or {}
    namespace = manifest["metadata"].get("namespace", "")
    problem = _unschedulable(pod) or _bad_image(pod) or _missing_parts(state, namespace, pod)
    if problem:
        return problem
    if (namespace, manifest["metadata"]["name"]) == _SOURCE_CONTROLLER and out_of_memory(state):
        return Phase("OOMKilled", ready=False, message="The container used more than its limit.")
    ready_at = written_at(manifest) + timedelta(seconds=_START_SECONDS * state.pace)
    if state.now < ready_at:
        return Phase("ContainerCreating", ready=False)
    if manifest["kind"] == "Job":
        return Phase("Completed", ready=True)
    return Phase("Running", ready=True)


def deadline_passed(state: ClusterState, manifest: Manifest) -> bool:
    seconds = manifest["spec"].get("progressDeadlineSeconds", 600)
    return state.now >= written_at(manifest) + timedelta(seconds=int(seconds))


def _containers(pod: Manifest) -> list[Manifest]:
    return [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]


def _unschedulable(pod: Manifest) -> Phase | None:
    selector = pod.get("nodeSelector") or {}
    known = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    if not selector.items() <= known.items():
        text = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
        return Phase("Pending", ready=False, message=text)
    for container in pod.get("containers") or []:
        requests = (container.get("resources") or {}).get("requests") or {}
        for name, most in (("cpu", _NODE_CPU), ("memory", _NODE_MEMORY)):
            if quantity(str(requests.get(name, "0"))) > most:
                text = f"0/1 nodes are available: 1 Insufficient {name}."
                return Phase("Pending", ready=False, message=text)
    return None


def _bad_image(pod: Manifest) -> Phase | None:
    for container in _containers(pod):
        image = str(container.get("image") or "")
        found = _IMAGE.fullmatch(image)
        if not found:
            text = f'Failed to apply default image tag "{image}": invalid reference format'
            return Phase("InvalidImageName", ready=False, message=text)
        # RFC 2606 keeps .invalid for names that never resolve, so no image is ever there.
        host = (found["host"] or "").rstrip("/").partition(":")[0]
        if host.endswith(".invalid"):
            text = f'Back-off pulling image "{image}"'
            return Phase("ImagePullBackOff", ready=False, message=text)
    return None


def _missing_parts(state: ClusterState, namespace: str, pod: Manifest) -> Phase | None:
    for kind, name in _references(pod):
        if ObjectKey("", kind, namespace, name) not in state.store:
            text = f'{kind.lower()} "{name}" not found'
            return Phase("CreateContainerConfigError", ready=False, message=text)
    return None


def _references(pod: Manifest) -> Iterator[tuple[str, str]]:
    """Name the config maps and secrets without which the pods cannot start."""
    for container in _containers(pod):
        for source in container.get("envFrom") or []:
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                ref = source.get(field)
                if ref and not ref.get("optional"):
                    yield kind, ref["name"]
        for variable in container.get("env") or []:
            value = variable.get("valueFrom") or {}
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                ref = value.get(field)
                if ref and not ref.get("optional"):
                    yield kind, ref["name"]
    for volume in pod.get("volumes") or []:
        config_map, secret = volume.get("configMap"), volume.get("secret")
        if config_map and config_map.get("name") and not config_map.get("optional"):
            yield "ConfigMap", config_map["name"]
        if secret and secret.get("secretName") and not secret.get("optional"):
            yield "Secret", secret["secretName"]


_SUFFIXES = {"m": 0.001, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_SUFFIXES |= {"T": 1e12, "Ti": 2**40}


def quantity(text: str) -> float:
    """Read a Kubernetes quantity (`500m`, `2Gi`); one that cannot be read counts as nothing."""
    found = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", text)
    if not found:
        return 0.0
    return float(found[1]) * _SUFFIXES.get(found[2], 1.0)


def status_of(state: ClusterState, manifest: Manifest) -> Manifest:
    """Return the status that a workload's controller would have written."""
    wanted = replicas(manifest)
    now = phase(state, manifest)
    ready = wanted if now.ready else 0
    metadata = manifest["metadata"]
    status: Manifest = {"observedGeneration": metadata["generation"], "replicas": wanted}
    match manifest["kind"]:
        case "Deployment":
            status |= {"updatedReplicas": wanted, "unavailableReplicas": wanted - ready}
            status |= {"readyReplicas": ready, "availableReplicas": ready}
            status["conditions"] = _deployment_conditions(state, manifest, ready == wanted)
        case "StatefulSet" | "ReplicaSet":
            status |= {"readyReplicas": ready, "availableReplicas": ready}
            status |= {"currentReplicas": wanted, "updatedReplicas": wanted}
        case "DaemonSet":
            numbers = ("desiredNumberScheduled", "currentNumberScheduled", "updatedNumberScheduled")
            status = {"observedGeneration": metadata["generation"]} | dict.fromkeys(numbers, 1)
            status |= {"numberReady": ready, "numberAvailable": ready}
        case "Job":
            done = {"type": "Complete", "status": "True"}
            status = {"succeeded": 1, "conditions": [done]} if now.ready else {"active": 1}
    return status


def _deployment_conditions(
    state: ClusterState, manifest: Manifest, available: bool
) -> list[Manifest]:
    at = timestamp(written_at(manifest))
    name = manifest["metadata"]["name"]
    progressing = {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}
    progressing["message"] = f'ReplicaSet "{name}" is progressing.'
    if available:
        progressing["reason"] = "NewReplicaSetAvailable"
        progressing["message"] = f'ReplicaSet "{name}" has successfully progressed.'
    elif deadline_passed(state, manifest):
        progressing |= {"status": "False", "reason": "ProgressDeadlineExceeded"}
        progressing["message"] = f'ReplicaSet "{name}" has timed out progressing.'
    have = "has" if available else "does not have"
    reason = "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable"
    ready = {"type": "Available", "status": str(available), "reason": reason}
    ready["message"] = f"Deployment {have} minimum availability."
    return [
        item | {"lastTransitionTime": at, "lastUpdateTime": at} for item in (ready, progressing)
    ]


def expand(state: ClusterState, manifest: Manifest) -> list[Manifest]:
    """Return the replica set and pods that belong to a workload."""
    match manifest["kind"]:
        case "Deployment":
            replica_set = _replica_set(state, manifest)
            return [replica_set, *_pods(state, manifest, replica_set)]
        case "StatefulSet" | "DaemonSet" | "Job":
            return _pods(state, manifest, manifest)
    return []


def _replica_set(state: ClusterState, deployment: Manifest) -> Manifest:
    metadata = deployment["metadata"]
    template = deployment["spec"].get("template") or {}
    mark = code(f"{metadata['uid']}{template}", 10)
    inner = template.get("metadata") or {}
    labels = (inner.get("labels") or {}) | {"pod-template-hash": mark}
    spec = {name: deployment["spec"].get(name) for name in ("replicas", "selector")}
    replica_set = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            **_identity(state, deployment, f"{metadata['name']}-{mark}", "replicaset"),
            "labels": labels,
        },
        "spec": {**spec, "template": {**template, "metadata": {**inner, "labels": labels}}},
    }
    ready = status_of(state, deployment)
    numbers = ("replicas", "readyReplicas", "availableReplicas", "observedGeneration")
    return replica_set | {"status": {name: ready[name] for name in numbers}}


def _pods(state: ClusterState, workload: Manifest, owner: Manifest) -> list[Manifest]:
    names = [_pod_name(workload, owner, number) for number in range(min(replicas(workload), 50))]
    return [_pod(state, workload, owner, name) for name in names]


def _pod_name(workload: Manifest, owner: Manifest, number: int) -> str:
    name = owner["metadata"]["name"]
    if workload["kind"] == "StatefulSet":
        return f"{name}-{number}"
    seed = f"{owner['metadata']['uid']}{number}"
    return f"{name}-{code(seed, 5)}"


def _pod(state: ClusterState, workload: Manifest, owner: Manifest, name: str) -> Manifest:
    template = owner["spec"].get("template") or {}
    metadata = _identity(state, owner, name, "pod")
    labels = (template.get("metadata") or {}).get("labels") or {}
    spec = {"nodeName": NODE} | (template.get("spec") or {})
    now = phase(state, workload)
    if now.word == "Pending":
        del spec["nodeName"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata | {"labels": labels},
        "spec": spec,
        "status": _pod_status(workload, spec, now, metadata["uid"]),
    }


def _pod_status(workload: Manifest, spec: Manifest, now: Phase, uid: str) -> Manifest:
    at = timestamp(written_at(workload))
    running: Manifest = {"running": {"startedAt": at}}
    if now.word == "Completed":
        running = {"terminated": {"reason": "Completed", "exitCode": 0, "finishedAt": at}}
    elif not now.ready:
        running = {"waiting": {"reason": now.word, "message": now.message}}
    word = {"Running": "Running", "Completed": "Succeeded"}.get(now.word, "Pending")
    ready = now.word == "Running"
    containers = [] if now.word == "Pending" else spec.get("containers") or []
    digest = hashlib.sha256(uid.encode()).digest()
    status: Manifest = {
        "phase": word,
        "startTime": at,
        "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": at}],
        "containerStatuses": [
            {
                "name": container.get("name", ""),
                "image": container.get("image", ""),
                "ready": ready,
                "restartCount": 0,
                "state": running,
            }
            for container in containers
        ],
    }
    if ready:
        status["podIP"] = f"10.244.{digest[0]}.{digest[1]}"
    return status


def _identity(state: ClusterState, owner: Manifest, name: str, kind: str) -> Manifest:
    metadata = owner["metadata"]
    return {
        "name": name,
        "namespace": metadata.get("namespace", ""),
        "uid": f"{metadata['uid'][:-6]}{hashlib.sha256((kind + name).encode()).hexdigest()[:6]}",
        "creationTimestamp": metadata["creationTimestamp"]
        if kind == "replicaset"
        else timestamp(written_at(owner)),
        "generation": 1,
        "resourceVersion": metadata.get("resourceVersion", "1"),
        "managedFields": metadata.get("managedFields") or [],
        "ownerReferences": [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": metadata["name"],
                "uid": metadata["uid"],
                "controller": True,
            }
        ],
    }


WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")


def with_status(state: ClusterState, manifest: Manifest) -> Manifest:
    """Return an object as the API server shows it, with the parts that controllers fill in."""
    kind = manifest["kind"]
    if kind in WORKLOADS and "template" in (manifest.get("spec") or {}):
        return manifest | {"status": status_of(state, manifest)}
    if kind == "Service" and manifest["apiVersion"] == "v1":
        return _service(manifest)
    if kind == "Namespace":
        return manifest | {"status": {"phase": "Active"}}
    if kind == "PersistentVolumeClaim":
        return manifest | {"status": {"phase": "Bound"}}
    return manifest


def _service(manifest: Manifest) -> Manifest:
    spec = {"type": "ClusterIP"} | (manifest.get("spec") or {})
    digest = hashlib.sha256(manifest["metadata"]["uid"].encode()).digest()
    if "clusterIP" not in spec and spec["type"] != "ExternalName":
        spec["clusterIP"] = f"10.0.{digest[0]}.{digest[1] or 1}"
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec["ports"] = [
            {"nodePort": 30000 + (digest[2] * 256 + digest[3] + number) % 2768} | port
            for number, port in enumerate(spec.get("ports") or [])
        ]
    status: Manifest = {"loadBalancer": {}}
    if spec["type"] == "LoadBalancer":
        status = {"loadBalancer": {"ingress": [{"ip": f"203.0.113.{digest[2] or 1}"}]}}
    return manifest | {"spec": spec, "status": status}
