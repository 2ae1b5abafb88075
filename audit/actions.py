"""The acts that the history knows, in words for people; an unknown one is shown all the same."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from audit.models import AuditEvent

Text = str | Promise


@dataclass(frozen=True)
class Group:
    """Acts that people look for together: a chip over the list."""

    code: str
    label: Text
    icon: str


GROUPS = {
    group.code: group
    for group in (
        Group("requests", _("Requests"), "git-pull-request"),
        Group("reviews", _("Reviews"), "shield-check"),
        Group("writes", _("Writes to Azure"), "cloud-upload"),
        Group("fleet", _("Fleet"), "server-2"),
        Group("outside", _("Outside changes"), "git-compare"),
        Group("people", _("People and rules"), "users-group"),
        Group("signins", _("Sign-ins"), "lock"),
    )
}


@dataclass(frozen=True)
class Action:
    """One kind of act.

    `sentence` may use {actor} and {object}; `under` also the event's own facts, and is left out
    when one of them is missing. Tones are those of fluxgate.css.
    """

    group: str
    icon: str
    tone: str
    sentence: Text
    under: Text = ""


ACTIONS: dict[str, Action] = {
    # --- requests ---
    "change.submitted": Action(
        "requests", "git-pull-request", "none", _("{actor} asked for a review of {object}")
    ),
    "change.revised": Action("requests", "pencil", "none", _("{actor} revised {object}")),
    "change.commented": Action("requests", "message", "none", _("{actor} commented on {object}")),
    "change.withdrawn": Action("requests", "arrow-back-up", "none", _("{actor} withdrew {object}")),
    "change.expired": Action("requests", "hourglass-off", "none", _("{object} expired")),
    "change.superseded": Action("requests", "replace", "none", _("{object} was superseded")),
    "secret.set": Action(
        "requests", "key", "none", _("{actor} set a secret for {object}"), _("{field}")
    ),
    "secret.replaced": Action(
        "requests", "key", "none", _("{actor} replaced a secret for {object}"), _("{field}")
    ),
    "secret.removed": Action(
        "requests", "key", "none", _("{actor} removed a secret from {object}"), _("{field}")
    ),
    "source.check_asked": Action(
        "requests", "checklist", "none", _("{actor} had the source of {object} checked"), _("{url}")
    ),
    # --- reviews ---
    "change.approved": Action("reviews", "shield-check", "good", _("{actor} approved {object}")),
    "change.changes_requested": Action(
        "reviews", "message-circle", "warn", _("{actor} requested changes to {object}")
    ),
    "change.rejected": Action("reviews", "ban", "none", _("{actor} rejected {object}")),
    # --- writes to Azure ---
    "change.applying": Action("writes", "loader", "busy", _("{object} is being applied")),
    "change.applied": Action("writes", "circle-check", "good", _("{object} was applied")),
    "change.failed": Action("writes", "circle-x", "bad", _("{object} failed")),
    "operation.sending": Action(
        "writes", "cloud-upload", "busy", _("{actor} sends {object} to Azure")
    ),
    "operation.accepted": Action(
        "writes", "cloud-upload", "busy", _("Azure accepted the write of {object}")
    ),
    "operation.succeeded": Action(
        "writes", "circle-check", "good", _("The write of {object} succeeded")
    ),
    "operation.failed": Action("writes", "circle-x", "bad", _("The write of {object} failed")),
    "operation.waiting": Action("writes", "clock", "warn", _("The write of {object} waits")),
    "operation.retried": Action(
        "writes", "refresh", "none", _("{actor} had the write of {object} tried again")
    ),
    "operation.rechecked": Action(
        "writes", "refresh-alert", "none", _("{object} is checked again after a late write")
    ),
    "operation.superseded": Action(
        "writes", "replace", "none", _("The write of {object} was superseded")
    ),
    # --- fleet ---
    "connection.created": Action("fleet", "plug", "none", _("{actor} added connection {object}")),
    "connection.changed": Action("fleet", "plug", "none", _("{actor} changed connection {object}")),
    "connection.removed": Action(
        "fleet", "plug-off", "none", _("{actor} removed connection {object}")
    ),
    "connection.tested": Action("fleet", "test-pipe", "none", _("{actor} tested {object}")),
    "connection.problem": Action(
        "fleet", "plug-connected-x", "bad", _("Connection {object} has a problem")
    ),
    "connection.recovered": Action(
        "fleet", "plug-connected", "good", _("Connection {object} works again")
    ),
    "cluster.seen": Action("fleet", "server-2", "none", _("Cluster found: {object}")),
    "cluster.gone": Action("fleet", "server-off", "warn", _("Cluster {object} is gone")),
    "cluster.environment_changed": Action(
        "fleet", "tag", "none", _("{actor} moved cluster {object} to another environment")
    ),
    "cluster.kubeconfig_set": Action(
        "fleet", "key", "none", _("{actor} stored a kubeconfig for cluster {object}"), _("{server}")
    ),
    "cluster.kubeconfig_removed": Action(
        "fleet", "key", "none", _("{actor} removed the kubeconfig of cluster {object}")
    ),
    "extension.seen": Action("fleet", "puzzle", "none", _("Extension found: {object}")),
    "extension.gone": Action("fleet", "puzzle", "warn", _("Extension {object} is gone")),
    "configuration.seen": Action("fleet", "stack-2", "none", _("Configuration found: {object}")),
    "configuration.gone": Action("fleet", "stack-2", "warn", _("Configuration {object} is gone")),
    "configuration.adopted": Action("fleet", "stack-2", "none", _("{actor} adopted {object}")),
    "configuration.sync_asked": Action(
        "fleet", "refresh", "none", _("{actor} asked Flux to sync {object} now")
    ),
    "configuration.sync_done": Action(
        "fleet", "refresh", "good", _("Flux was told to sync {object} now")
    ),
    "configuration.sync_failed": Action(
        "fleet", "refresh-alert", "warn", _("Flux could not be told to sync {object}"), _("{why}")
    ),
    # --- what others did past the portal ---
    "configuration.drifted": Action(
        "outside", "git-compare", "warn", _("Outside change found on {object}")
    ),
    "extension.drifted": Action(
        "outside", "git-compare", "warn", _("Outside change found on {object}")
    ),
    # --- people and rules ---
    "environment.created": Action("people", "tag", "none", _("{actor} added environment {object}")),
    "environment.changed": Action(
        "people", "tag", "none", _("{actor} changed environment {object}")
    ),
    "environment.rules_changed": Action(
        "people", "scale", "none", _("{actor} changed which clusters belong to {object}")
    ),
    "person.created": Action("people", "user-plus", "none", _("{actor} added {object}")),
    "person.activated": Action("people", "user-check", "none", _("{actor} activated {object}")),
    "person.deactivated": Action("people", "user-x", "none", _("{actor} deactivated {object}")),
    "person.role_given": Action(
        "people", "user-shield", "none", _("{actor} gave {object} a role"), _("{role}: {where}")
    ),
    "person.role_taken": Action(
        "people", "user-minus", "none", _("{actor} took a role from {object}"), _("{role}: {where}")
    ),
    "person.password_changed": Action("people", "key", "none", _("{actor} changed their password")),
    "person.password_renewed": Action(
        "people", "key", "none", _("{actor} gave {object} a new initial password")
    ),
    # --- sign-ins ---
    "signin.succeeded": Action("signins", "login", "none", _("{actor} signed in")),
    "signin.failed": Action("signins", "lock", "warn", _("A sign-in as {object} failed")),
    "signout": Action("signins", "logout", "none", _("{actor} signed out")),
}

_UNKNOWN = Action("", "circle-dot", "none", _("{actor}: {action} {object}"))


def look(action: str) -> Action:
    """Icon, tone and words of an action, also of an unknown one."""
    return ACTIONS.get(action, _UNKNOWN)


def sentence(event: AuditEvent, object_name: str = "") -> str:
    """What happened, in one sentence in the reader's language.

    `object_name` stands for the object where its own name would say the same again and again.
    """
    facts = {
        "actor": event.actor_name,
        "object": object_name or event.object_name,
        "action": event.action,
    }
    return capfirst(str(look(event.action).sentence).format_map(facts))


def under(event: AuditEvent) -> str:
    """The second line: facts of the act where the action has words for them, else the reason."""
    words = str(look(event.action).under)
    try:
        facts = words.format_map({key: value for key, value in event.detail.items() if value})
    except (KeyError, ValueError, IndexError):
        facts = ""
    return facts or event.reason


def names_in(group: str) -> list[str]:
    """The known actions of a group."""
    return [name for name, action in ACTIONS.items() if action.group == group]
