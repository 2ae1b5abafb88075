"""A configuration in `environment`, and the author's own drafts, which nobody else sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from changes.models import Change
from configurations.bringing import packed, read
from configurations.models import Configuration, Draft, SecretVersion, SyncRequest
from configurations.services import draft_create
from tests.factories.changes import make_change
from tests.rights.matrix import EVERYBODY, MEMBERS, OUTSIDERS, PROPOSERS, Row, Scene
from tests.rights.things import cluster, configuration

AUTHOR = frozenset({"author"})


def _configuration(scene: Scene) -> list[int]:
    return [configuration(scene).pk]


def _suspended(scene: Scene) -> list[int]:
    made = configuration(scene, suspended=True)
    made.observed = {**made.observed, "suspend": True}
    made.save()
    return [made.pk]


def _with_a_secret(scene: Scene) -> list[int]:
    made = configuration(scene)
    version = SecretVersion.objects.create(
        token="-",
        field="https_key",
        cluster=made.cluster,
        set_by=scene.author,
        set_at=timezone.now(),
    )
    mark = {"$secret": str(version.pk)}
    made.desired = {**made.observed, "configurationProtectedSettings": {"httpsKey": mark}}
    made.save()
    return [made.pk]


def _draft(scene: Scene) -> list[int]:
    scene.made["draft"] = draft_create(author=scene.author, cluster=cluster(scene))
    return [scene.made["draft"].pk]


def _brought_in(scene: Scene) -> dict[str, Any]:
    """The second post of the page: what was read, and the cluster."""
    line = "az k8s-configuration flux create -n web -u https://x.example/y -k name=a path=./a"
    return {
        "read": packed(read(line)),
        "pick": ["0"],
        "to": cluster(scene).pk,
        "do": "make",
    }


def _returned(scene: Scene) -> list[int]:
    """The author's change after a reviewer asked for changes."""
    change = make_change(scene.author, scene.environment)
    Change.objects.filter(pk=change.pk).update(state="draft")
    return [change.pk]


def _picked(scene: Scene) -> dict[str, Any]:
    return {"pick": configuration(scene).pk}


def _page(url: str) -> Row:
    return Row(url=url, args=_configuration, allowed=MEMBERS, hidden_from=OUTSIDERS)


def _proposal(url: str, args: Any, data: Mapping[str, str]) -> list[Row]:
    """A page that asks for a reason and ends as a change."""
    get = Row(url=url, args=args, allowed=PROPOSERS, hidden_from=OUTSIDERS)
    post = Row(
        url=url,
        method="post",
        args=args,
        data=lambda _s: data,
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=lambda _s: Change.objects.exists(),
    )
    return [get, post]


def _step(url: str, *, ok: int = 302) -> list[Row]:
    own = {"args": _draft, "allowed": AUTHOR, "hidden_from": EVERYBODY - AUTHOR}
    return [Row(url=url, **own), Row(url=url, method="post", ok=ok, **own)]


_REASON = {"reason": "It is needed"}


def _over_kubernetes(scene: Scene) -> list[int]:
    found = configuration(scene)
    type(cluster(scene).connection).objects.update(kubernetes=True)
    return [found.pk]


ROWS = [
    Row(url="configurations:list"),
    Row(url="configurations:csv"),
    # Outsiders and others without anything to export go back to the list.
    Row(url="configurations:zip", ok=302),
    Row(
        url="configurations:adopt",
        data=_picked,
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
    ),
    Row(
        url="configurations:adopt",
        method="post",
        data=lambda s: {**_picked(s), **_REASON},
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=lambda s: Configuration.objects.get(pk=s.made["configuration"].pk).managed,
    ),
    *(
        _page(f"configurations:{name}")
        for name in (
            "detail",
            "diff",
            "specification",
            "faces",
            "face",
            "changes",
            "history",
            "raw",
        )
    ),
    Row(
        url="configurations:watch",
        method="post",
        args=_configuration,
        allowed=MEMBERS,
        hidden_from=OUTSIDERS,
        ok=204,
    ),
    *_proposal("configurations:suspend", _configuration, _REASON),
    *_proposal("configurations:resume", _suspended, _REASON),
    *_proposal("configurations:send_again", _with_a_secret, _REASON),
    *_proposal(
        "configurations:delete", _configuration, {**_REASON, "typed_name": "cluster-config"}
    ),
    *_proposal(
        "configurations:remove_flux",
        lambda s: [cluster(s).pk],
        {**_REASON, "typed_name": "aks-demo"},
    ),
    Row(
        url="configurations:edit",
        method="post",
        args=_configuration,
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=lambda _s: Draft.objects.exists(),
    ),
    Row(
        url="configurations:revise",
        method="post",
        args=_returned,
        allowed=AUTHOR,
        hidden_from=OUTSIDERS,
        ok=302,
    ),
    Row(url="configurations:bring_in"),
    Row(
        url="configurations:bring_in",
        method="post",
        data=_brought_in,
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=lambda _s: Draft.objects.exists(),
    ),
    # Whoever may propose nowhere finds no cluster to choose.
    Row(url="configurations:new"),
    Row(
        url="configurations:new",
        method="post",
        data=lambda s: {"cluster": cluster(s).pk},
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=lambda _s: Draft.objects.exists(),
    ),
    Row(
        url="configurations:sync_now",
        method="post",
        args=_over_kubernetes,
        allowed=PROPOSERS,
        hidden_from=OUTSIDERS,
        ok=302,
        done=lambda _s: SyncRequest.objects.exists(),
    ),
    Row(url="configurations:drafts"),
    *_step("configurations:draft_basics"),
    *_step("configurations:draft_source"),
    *_step("configurations:draft_kustomizations"),
    *_step("configurations:draft_review", ok=200),
    Row(
        url="configurations:draft_face",
        args=_draft,
        allowed=AUTHOR,
        hidden_from=EVERYBODY - AUTHOR,
    ),
    Row(
        url="configurations:draft_check",
        method="post",
        args=_draft,
        allowed=AUTHOR,
        hidden_from=EVERYBODY - AUTHOR,
        ok=302,
    ),
    Row(
        url="configurations:draft_discard",
        method="post",
        args=_draft,
        allowed=AUTHOR,
        hidden_from=EVERYBODY - AUTHOR,
        ok=302,
        done=lambda _s: not Draft.objects.exists(),
    ),
]
