"""The way into a cluster's Kubernetes API: a stored kubeconfig, or what Azure gives for AKS."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from django.db import transaction
from django.utils import timezone

import arm
from access.models import User
from audit.services import record
from clusters.gateways import gateway_for
from clusters.kube import kubeconfig
from clusters.kube.door import READS, KubernetesDoor, KubernetesProblem
from clusters.kube.kubeconfig import Access, KubeconfigRefused
from clusters.models import Cluster, StoredKubeconfig
from clusters.secrets import SecretUnreadable, decrypt, encrypt
from live.services import bump


def scope_of(cluster_id: int) -> str:
    """The live scope of what is shown of a cluster's Kubernetes API."""
    return f"kubernetes:{cluster_id}"


def stored_of(cluster: Cluster) -> StoredKubeconfig | None:
    """The kubeconfig that was given for it, if one was."""
    return StoredKubeconfig.objects.select_related("set_by").filter(cluster=cluster).first()


def is_connected(cluster: Cluster) -> bool:
    """Whether the portal has a way to its Kubernetes API that it may use; one query at most."""
    if cluster.gone_at is not None or not cluster.connection.enabled:
        return False
    if not cluster.connection.kubernetes:
        return False
    if cluster.kind == Cluster.Kind.MANAGED:
        return True
    return StoredKubeconfig.objects.filter(cluster=cluster).exists()


# --- A stored kubeconfig --------------------------------------------------------------------
@transaction.atomic
def kubeconfig_set(*, by: User, cluster: Cluster, access: Access) -> StoredKubeconfig:
    """Keep this way into the cluster, in place of the one before."""
    now = timezone.now()
    stored, created = StoredKubeconfig.objects.update_or_create(
        cluster=cluster,
        defaults={
            "access_encrypted": encrypt(json.dumps(asdict(access))),
            "server": access.server,
            "sign_in": access.sign_in,
            "set_at": now,
            "set_by": by,
        },
    )
    facts = {"server": access.server, "sign_in": access.sign_in, "replaced": not created}
    _record("cluster.kubeconfig_set", by, cluster, **facts)
    _read_anew(cluster)
    return stored


@transaction.atomic
def kubeconfig_remove(*, by: User, cluster: Cluster) -> bool:
    """Forget the way into the cluster and what was seen through it; whether there was one."""
    removed, _by_model = StoredKubeconfig.objects.filter(cluster=cluster).delete()
    if not removed:
        return False
    _record("cluster.kubeconfig_removed", by, cluster)
    cluster.kubernetes_readings.all().delete()
    bump(scope_of(cluster.pk))
    return True


def _read_anew(cluster: Cluster) -> None:
    cluster.kubernetes_readings.update(next_at=timezone.now(), problem={})
    bump(scope_of(cluster.pk))


def _record(action: str, by: User, cluster: Cluster, **detail: Any) -> None:
    record(
        action=action,
        actor=by,
        object_type="cluster",
        object_id=cluster.pk,
        object_name=cluster.name,
        environment_id=cluster.environment_id,
        cluster_id=cluster.pk,
        **detail,
    )


# --- The door -------------------------------------------------------------------------------
def door_to(cluster: Cluster, *, verbs: frozenset[str] = READS) -> KubernetesDoor:
    """The door to its API server. NETWORK for AKS, where Azure is asked for the way.

    A stored kubeconfig comes first: an admin gave it for this cluster. Raises KubernetesProblem.
    """
    return KubernetesDoor(access_to(cluster), verbs=verbs)


def access_to(cluster: Cluster) -> Access:
    """Server, authority and credential. NETWORK for AKS. Raises KubernetesProblem."""
    if not cluster.connection.kubernetes or not cluster.connection.enabled:
        raise KubernetesProblem("off")
    stored = StoredKubeconfig.objects.filter(cluster=cluster).first()
    if stored is not None:
        try:
            return Access(**json.loads(decrypt(stored.access_encrypted)))
        except SecretUnreadable:
            pass
        raise KubernetesProblem("secret_unreadable")
    if cluster.kind != Cluster.Kind.MANAGED:
        raise KubernetesProblem("no_kubeconfig")
    problem: KubernetesProblem
    try:
        return _from_azure(cluster)
    except KubeconfigRefused as refusal:
        problem = KubernetesProblem("kubeconfig_refused", str(refusal))
    except arm.ArmError as error:
        problem = KubernetesProblem("azure", f"{error.code}: {error.message}")
    raise problem


def _from_azure(cluster: Cluster) -> Access:
    """Of a cluster with local accounts, the credential in the answer; else a token of our own.

    With Entra ID the answer tells to run kubelogin; nothing is run, and no other stanza counts.
    """
    gateway = gateway_for(cluster.connection, priority=arm.Priority.INTERACTIVE)
    content = gateway.cluster_user_credential(cluster.arm_id_display)
    try:
        return kubeconfig.read(content)
    except KubeconfigRefused:
        server, authority = kubeconfig.server_of(content)
    return replace(Access(server, authority), token=gateway.kubernetes_token())
