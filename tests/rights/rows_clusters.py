"""A cluster in `environment`; connections and rules, which are for admins everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils import timezone

from changes.models import Change
from clusters.extension_changes import seen_digest
from clusters.models import (
    Connection,
    EnvironmentRule,
    Extension,
    IdentityReading,
    ScopeReading,
    StoredKubeconfig,
)
from tests.factories.clusters import SUBSCRIPTION, ConnectionFactory
from tests.rights.matrix import ADMINS, MEMBERS, OUTSIDERS, PROPOSERS, Row, Scene
from tests.rights.things import cluster

_NAMESPACE = "Microsoft.KubernetesConfiguration"


def _cluster(scene: Scene) -> list[int]:
    return [cluster(scene).pk]


def _bare_cluster(scene: Scene) -> list[int]:
    found = cluster(scene)
    Extension.objects.filter(cluster=found).delete()
    return [found.pk]


def _connection(scene: Scene) -> list[int]:
    if "connection" not in scene.made:
        scene.made["connection"] = ConnectionFactory(name="azure")
    return [scene.made["connection"].pk]


def _registration(scene: Scene) -> list[Any]:
    return [*_connection(scene), SUBSCRIPTION, _NAMESPACE]


def _rules(scene: Scene) -> list[int]:
    if not EnvironmentRule.objects.exists():
        for position, value in enumerate(("one", "two")):
            EnvironmentRule.objects.create(
                position=position, tag="team", value=value, environment=scene.environment
            )
    return [1]


def _first_rule(scene: Scene) -> str:
    return str(EnvironmentRule.objects.values_list("value", flat=True)[0])


def _asked(scene: Scene) -> bool:
    return Change.objects.exists()


def _admin_page(url: str, args: Callable[[Scene], list[Any]] = lambda _scene: []) -> Row:
    return Row(url=f"clusters:{url}", args=args, allowed=ADMINS)


def _admin_act(
    url: str,
    done: Callable[[Scene], bool],
    args: Callable[[Scene], list[Any]] = _connection,
    data: Callable[[Scene], Mapping[str, Any]] = lambda _scene: {},
) -> Row:
    return Row(
        url=f"clusters:{url}",
        method="post",
        args=args,
        data=data,
        allowed=ADMINS,
        ok=302,
        done=done,
    )


def _new(_scene: Scene) -> dict[str, str]:
    return {
        "name": "fresh",
        "cloud": "public",
        "sign_in": "default",
        "api_version": "2025-04-01",
        "reads": "graph",
    }


ROWS = [
    Row(url="clusters:list"),
    Row(url="clusters:search"),
    Row(url="clusters:detail", args=_cluster, allowed=MEMBERS, hidden_from=OUTSIDERS),
    Row(url="clusters:install", args=_bare_cluster, allowed=PROPOSERS, hidden_from=OUTSIDERS),
    Row(
        url="clusters:install",
        method="post",
        args=_bare_cluster,
        data=lambda _scene: {"reason": "Flux is wanted here"},
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=_asked,
    ),
    _admin_act(
        "environment",
        lambda scene: type(cluster(scene)).objects.get(pk=cluster(scene).pk).environment_by_hand,
        args=_cluster,
        data=lambda _scene: {"environment": "none"},
    ),
    _admin_page("rules"),
    _admin_act(
        "rule_add",
        lambda _scene: EnvironmentRule.objects.exists(),
        args=lambda _scene: [],
        data=lambda scene: {"tag": "team", "value": "web", "environment": scene.environment.pk},
    ),
    _admin_act("rule_move", lambda scene: _first_rule(scene) == "two", args=_rules),
    _admin_act("rule_remove", lambda _scene: EnvironmentRule.objects.count() == 1, args=_rules),
    _admin_page("connections"),
    _admin_page("connection_add"),
    _admin_act(
        "connection_add",
        lambda _scene: Connection.objects.filter(name="fresh").exists(),
        args=lambda _scene: [],
        data=_new,
    ),
    _admin_page("connection", _connection),
    _admin_page("connection_edit", _connection),
    _admin_act(
        "connection_edit",
        lambda _scene: Connection.objects.filter(name="fresh").exists(),
        data=_new,
    ),
    _admin_act("connection_test", lambda _scene: Connection.objects.get(name="azure").is_testing),
    Row(url="clusters:connection_sync", method="post", args=_connection, allowed=ADMINS, ok=302),
    _admin_act(
        "connection_switch",
        lambda _scene: not Connection.objects.get(name="azure").enabled,
        data=lambda _scene: {"enabled": "0"},
    ),
    _admin_page("connection_remove", _connection),
    _admin_act(
        "connection_remove",
        lambda _scene: not Connection.objects.filter(name="azure").exists(),
        data=lambda _scene: {"name": "azure"},
    ),
    _admin_page("connection_register", _registration),
    _admin_act(
        "connection_register",
        _asked,
        args=_registration,
        data=lambda _scene: {"reason": "Flux needs it"},
    ),
]

# --- Prerequisites ---------------------------------------------------------------------------
_SEEN_BY_MEMBERS = {"args": _cluster, "allowed": MEMBERS, "hidden_from": OUTSIDERS}


def _asked_for(_scene: Scene) -> bool:
    return ScopeReading.objects.exclude(asked_at=None).exists()


ROWS += [
    *(
        Row(url=f"clusters:{name}", **_SEEN_BY_MEMBERS)
        for name in ("prerequisites", "endpoints_csv", "endpoints_job")
    ),
    Row(
        url="clusters:prerequisites_check",
        method="post",
        args=_cluster,
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=_asked_for,
    ),
    _admin_page("connection_prerequisites", _connection),
    _admin_page("connection_endpoints_csv", _connection),
    _admin_page("connection_endpoints_job", _connection),
    _admin_act("connection_prerequisites_check", _asked_for),
]

# --- The extension ---------------------------------------------------------------------------
_SEEN = {"reason": "It is needed", "upgrades": "azure", "set:multiTenancy.enforce": "false"}


def _update(scene: Scene) -> dict[str, str]:
    return {**_SEEN, "seen": seen_digest(Extension.objects.get(cluster=cluster(scene)))}


ROWS += [
    Row(url="clusters:openshift"),
    Row(url="clusters:extension", args=_cluster, allowed=MEMBERS, hidden_from=OUTSIDERS),
    Row(
        url="clusters:extension",
        method="post",
        args=_cluster,
        data=_update,
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=_asked,
    ),
    Row(url="clusters:extension_delete", args=_cluster, allowed=PROPOSERS, hidden_from=OUTSIDERS),
    Row(
        url="clusters:extension_delete",
        method="post",
        args=_cluster,
        data=lambda _scene: {"reason": "Moved elsewhere", "typed_name": "aks-demo"},
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=_asked,
    ),
    Row(url="clusters:workload_identity", args=_cluster, allowed=PROPOSERS, hidden_from=OUTSIDERS),
    # Without an identity in the address nothing is asked for: the page says so.
    Row(
        url="clusters:workload_identity",
        method="post",
        args=_cluster,
        data=lambda _scene: {"accounts": "source-controller", "reason": "It is needed"},
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=422,
    ),
    Row(
        url="clusters:workload_identity_read",
        method="post",
        args=_cluster,
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=lambda _scene: IdentityReading.objects.exists(),
    ),
    Row(
        url="clusters:workload_identity_end",
        method="post",
        args=_cluster,
        data=lambda _scene: {"end-reason": "It is needed"},
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=422,
    ),
]

# --- The Kubernetes API ----------------------------------------------------------------------
_KUBECONFIG = """
{"clusters": [{"name": "c", "cluster": {"server": "https://api.example.com"}}],
 "users": [{"name": "u", "user": {"token": "abc"}}],
 "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}
"""


def _tab(scene: Scene) -> list[Any]:
    return [*_cluster(scene), "flux"]


def _with_kubeconfig(scene: Scene) -> list[int]:
    StoredKubeconfig.objects.get_or_create(
        cluster=cluster(scene), defaults={"access_encrypted": "x", "set_at": timezone.now()}
    )
    return _cluster(scene)


ROWS += [
    Row(url="clusters:kubernetes", args=_cluster, allowed=MEMBERS, hidden_from=OUTSIDERS),
    Row(url="clusters:kubernetes_view", args=_tab, allowed=MEMBERS, hidden_from=OUTSIDERS),
    Row(
        url="clusters:kubernetes_watch",
        method="post",
        args=_tab,
        allowed=MEMBERS,
        hidden_from=OUTSIDERS,
        ok=204,
    ),
    _admin_page("kubeconfig", _cluster),
    _admin_act(
        "kubeconfig",
        lambda _scene: StoredKubeconfig.objects.exists(),
        args=_cluster,
        data=lambda _scene: {"text": _KUBECONFIG},
    ),
    _admin_act(
        "kubeconfig_remove",
        lambda _scene: not StoredKubeconfig.objects.exists(),
        args=_with_kubeconfig,
    ),
    _admin_act(
        "connection_kubernetes",
        lambda _scene: Connection.objects.get(name="azure").kubernetes,
        data=lambda _scene: {"on": "1"},
    ),
]
