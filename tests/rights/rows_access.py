from __future__ import annotations

from access.models import Environment, User
from tests.rights.matrix import ADMINS, EVERYBODY, Row, Scene


def _viewer(scene: Scene) -> list[int]:
    return [scene.viewer.pk]


def _assignment(scene: Scene) -> list[int]:
    return [scene.viewer.pk, scene.viewer.assignments.get().pk]


def _environment(scene: Scene) -> list[int]:
    return [scene.environment.pk]


_PERSON = {"username": "new", "display_name": "New"}
_ENVIRONMENT = {"name": "new", "tone": "demo"}

ROWS = [
    Row(url="access:sign_in", ok=302, open_to_all=True),
    Row(url="access:sign_in", method="post", ok=302, open_to_all=True),
    Row(url="access:sign_out", method="post", ok=302),
    Row(url="access:profile"),
    Row(url="access:password"),
    Row(url="access:password", method="post", allowed=EVERYBODY, ok=200),
    Row(url="access:people", allowed=ADMINS),
    Row(url="access:person_add", allowed=ADMINS),
    Row(
        url="access:person_add",
        method="post",
        data=lambda _s: _PERSON,
        allowed=ADMINS,
        done=lambda _s: User.objects.filter(username="new").exists(),
    ),
    Row(url="access:person", args=_viewer, allowed=ADMINS),
    Row(
        url="access:role_give",
        method="post",
        args=_viewer,
        data=lambda _s: {"role": "author"},
        allowed=ADMINS,
        ok=302,
        done=lambda s: s.viewer.assignments.filter(role="author", environment=None).exists(),
    ),
    Row(
        url="access:role_take",
        method="post",
        args=_assignment,
        allowed=ADMINS,
        ok=302,
        done=lambda s: not s.viewer.assignments.exists(),
    ),
    Row(
        url="access:person_deactivate",
        method="post",
        args=_viewer,
        allowed=ADMINS,
        ok=302,
        done=lambda s: not User.objects.get(pk=s.viewer.pk).is_active,
    ),
    Row(
        url="access:person_renew_password",
        method="post",
        args=_viewer,
        allowed=ADMINS,
        done=lambda s: User.objects.get(pk=s.viewer.pk).has_usable_password(),
    ),
    Row(url="access:environments", allowed=ADMINS),
    Row(url="access:environment_add", allowed=ADMINS),
    Row(
        url="access:environment_add",
        method="post",
        data=lambda _s: _ENVIRONMENT,
        allowed=ADMINS,
        ok=302,
        done=lambda _s: Environment.objects.filter(name="new").exists(),
    ),
    Row(url="access:environment_edit", args=_environment, allowed=ADMINS),
    Row(
        url="access:environment_edit",
        method="post",
        args=_environment,
        data=lambda _s: _ENVIRONMENT,
        allowed=ADMINS,
        ok=302,
        done=lambda _s: Environment.objects.filter(name="new").exists(),
    ),
]
