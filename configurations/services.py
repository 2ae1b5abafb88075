"""Every act on configurations and drafts: one transaction each.

They raise changes.errors.ChangeRefused (text for people, `code` for programs) and then alter
nothing. Nothing here calls Azure: an act ends as a change that others review.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from pydantic import ValidationError

from access.models import User
from changes.content import targets_of
from changes.errors import ChangeRefused
from changes.kinds import Target
from changes.models import Change
from changes.services import change_submit
from clusters.extension_changes import Update
from clusters.extension_choice import choice_form, choice_of
from clusters.models import Cluster
from configurations import proposals
from configurations.models import Configuration, Draft
from configurations.reading import AT_FAULT, IN_FLIGHT
from configurations.risks import bodies, own_step
from configurations.secrets import (
    MARK,
    marks_in,
    secret_forget,
    secret_keep,
    source_place,
    with_known_secrets,
)
from configurations.specification import Specification, Violation, live_digest, violations_of
from configurations.specification.sources import LACKING
from configurations.specification.wire import desired_part, spoken
from configurations.wizard import compose

STEPS = ("basics", "source", "kustomizations", "review")


# --- Drafts ---------------------------------------------------------------------------------
@transaction.atomic
def draft_create(*, author: User, cluster: Cluster) -> Draft:
    """Begin a new configuration on this cluster."""
    return Draft.objects.create(
        author=author, purpose=Draft.Purpose.CREATE, cluster=cluster, data=deepcopy(compose.EMPTY)
    )


@transaction.atomic
def draft_edit(*, author: User, configuration: Configuration) -> Draft:
    """Begin (or go on with) a change of this configuration, filled in from what Azure holds."""
    _refuse_unless_editable(configuration)
    open_draft = Draft.objects.filter(
        author=author,
        configuration=configuration,
        purpose=Draft.Purpose.EDIT,
        submitted_change_id=None,
        revises_change_id=None,
        base_digest=live_digest(configuration.observed),
    ).first()
    if open_draft is not None:
        return open_draft
    return Draft.objects.create(
        author=author,
        purpose=Draft.Purpose.EDIT,
        cluster=configuration.cluster,
        configuration=configuration,
        data=compose.data_from(
            configuration.name,
            with_known_secrets(configuration.observed, configuration.desired),
            kept=configuration.adopted,
        ),
        base=configuration.observed,
        base_digest=live_digest(configuration.observed),
    )


@transaction.atomic
def draft_revise(*, author: User, change: Change) -> Draft:
    """Reopen what was asked, to submit it again as the change's next revision."""
    targets = targets_of(change.content)
    step = own_step(targets[0]) if len(targets) == 1 else None
    writable = {Change.Verb.CREATE, Change.Verb.UPDATE}
    if change.kind != proposals.KIND or change.verb not in writable or step is None:
        raise ChangeRefused(
            _("This change cannot be edited. Withdraw it and propose a new one."), code="no_draft"
        )
    if change.author_id != author.pk:
        raise ChangeRefused(_("Only its author may revise a change."), code="not_revisable")
    if change.state not in {Change.State.DRAFT, Change.State.IN_REVIEW}:
        raise ChangeRefused(_("This change can no longer be revised."), code="not_revisable")
    open_draft = Draft.objects.filter(
        author=author, revises_change_id=change.pk, submitted_change_id=None
    ).first()
    if open_draft is not None:
        return open_draft
    before, after = bodies(step)
    data = compose.data_from(step.resource_name, after or {}, kept=step.method == "PATCH")
    data["review"]["reason"] = change.reason
    for earlier in targets[0].steps:
        if earlier.kind == "flux_extension":
            data["review"]["install"] = choice_of(earlier.body or {})
    is_new = change.verb == Change.Verb.CREATE
    base = dict(after or {}) if is_new else before
    for row in data["kustomizations"]["rows"]:
        row["origin"] = row["name"] if row["name"] in (base.get("kustomizations") or {}) else ""
    configuration = Configuration.objects.filter(arm_id=step.resource_id).first()
    return Draft.objects.create(
        author=author,
        purpose=Draft.Purpose.CREATE if is_new else Draft.Purpose.EDIT,
        cluster_id=targets[0].cluster_id,
        configuration=None if is_new else configuration,
        revises_change_id=change.pk,
        data=data,
        base=base,
        base_digest=step.base_digest,
    )


@transaction.atomic
def draft_save(
    *, draft: Draft, step: str, change: Callable[[dict[str, Any]], Mapping[str, Any]]
) -> Draft:
    """Keep what was typed in one step, valid or not.

    `change` gets what is saved of the step and returns what is to be; it runs under the row's
    lock, so that two posts of one page (a button, and the save while typing) lose nothing.
    """
    locked = Draft.objects.select_for_update().get(pk=draft.pk)
    saved = list(dict.fromkeys([*locked.data.get("saved", []), step]))
    locked.data = {**locked.data, step: {**change(locked.data[step])}, "saved": saved}
    locked.save(update_fields=["data", "updated_at"])
    draft.data, draft.updated_at = locked.data, locked.updated_at
    return draft


@transaction.atomic
def draft_save_source(
    *,
    draft: Draft,
    by: User,
    values: Mapping[str, Any],
    typed: Mapping[str, str],
    refused: Mapping[str, str],
    removed: str = "",
) -> Draft:
    """Keep what was typed in the Source step; secrets are stored apart and only marked in it.

    `typed`: secrets by field, as ARM gets them; `refused`: why others were not taken; `removed`:
    the field whose secret goes.
    """
    locked = (
        Draft.objects.select_for_update(of=("self",)).select_related("cluster").get(pk=draft.pk)
    )
    marks = {
        field: secret_keep(draft=locked, field=field, value=value, by=by)
        for field, value in typed.items()
    }
    if removed:
        secret_forget(draft=locked, field=removed, by=by)
    gone = {removed: ""} if removed else {}
    return draft_save(
        draft=draft,
        step="source",
        change=lambda saved: {**saved, **values, **gone, **marks, "refused": dict(refused)},
    )


@transaction.atomic
def draft_discard(*, draft: Draft) -> None:
    """Throw the draft away; nothing in Azure knows of it."""
    Draft.objects.filter(pk=draft.pk, submitted_change_id=None).delete()


# --- What a draft asks for ------------------------------------------------------------------
def draft_base(draft: Draft) -> dict[str, Any] | None:
    """The live properties that an edit starts from: the newest that we know; None for a new one."""
    if draft.purpose == Draft.Purpose.CREATE:
        return None
    if draft.configuration is not None:
        return dict(draft.configuration.observed)
    return dict(draft.base or {})


def draft_properties(draft: Draft) -> dict[str, Any]:
    """The properties that the draft asks for, as ARM's JSON; valid or not."""
    if draft.purpose == Draft.Purpose.CREATE and draft.base is not None:
        return _begun_from(draft, draft.base)
    return spoken(compose.properties_of(draft.data, draft_base(draft)))


def _begun_from(draft: Draft, given: Mapping[str, Any]) -> dict[str, Any]:
    """A new one that was written before: what the wizard does not show stays as it was given."""
    wire = compose.properties_of(draft.data, given)
    basics = draft.data["basics"]
    own = {"scope": basics["scope"], "namespace": basics["namespace"]}
    return spoken({**wire, **own, "suspend": wire.get("suspend") is True})


def draft_name(draft: Draft) -> str:
    return str(draft.data["basics"]["name"])


def draft_moved(draft: Draft) -> bool:
    """Whether Azure's resource is another one than when the edit began."""
    base = draft_base(draft)
    return base is not None and draft.base_digest != live_digest(base)


def draft_violations(draft: Draft) -> list[Violation]:
    """Every broken rule of the whole, in the order of the steps."""
    properties = draft_properties(draft)
    api_version = draft.cluster.connection.api_version if draft.cluster else "2025-04-01"
    try:
        specification = Specification.from_wire(properties)
    except ValidationError as error:
        return [
            Violation(tuple(map(str, it["loc"])), it["type"], it["msg"]) for it in error.errors()
        ]
    found = violations_of(specification, name=draft_name(draft), api_version=api_version)
    found = [*found, *_secrets_for_another_host(draft, properties)]
    if _keeps_unknown_secrets(draft, properties):
        found = [it for it in found if it.code != LACKING]
    names = [row["name"] for row in draft.data["kustomizations"]["rows"]]
    twice = sorted({name for name in names if names.count(name) > 1})
    found += [
        Violation(
            ("kustomizations", name, "name"),
            "twice",
            _("Two kustomizations have the name “%(name)s”.") % {"name": name},
        )
        for name in twice
    ]
    return found


def _keeps_unknown_secrets(draft: Draft, properties: Mapping[str, Any]) -> bool:
    """Whether Azure goes on with secrets that we do not know, for the same source."""
    base = draft_base(draft)
    kept = bool(draft.data["source"].get("kept")) and base is not None
    return kept and source_place(base or {}) == source_place(properties)


def _secrets_for_another_host(draft: Draft, properties: Mapping[str, Any]) -> list[Violation]:
    """Stored secrets that the edit would hand to a host for which they were not given."""
    base, configuration = draft_base(draft), draft.configuration
    if base is None or configuration is None or source_place(base) == source_place(properties):
        return []
    stored = {mark[MARK] for _path, mark in marks_in(configuration.desired or {})}
    return [
        Violation(
            path,
            "host_changed",
            _("The source has another host now: enter the secret for it again."),
        )
        for path, mark in marks_in(properties)
        if mark[MARK] in stored
    ]


def draft_install(draft: Draft, cluster: Cluster) -> Update | None:
    """How the extension is installed on the way; None where nothing was chosen."""
    saved = draft.data["review"].get("install") or {}
    if not any(saved.values()):
        return None
    form = choice_form(cluster, saved)
    if not form.is_valid():
        errors = next(iter(form.errors.values()))
        raise ChangeRefused(str(errors[0]), code="invalid")
    return form.update


# --- Proposals ------------------------------------------------------------------------------
@transaction.atomic
def draft_submit(*, draft: Draft, reason: str) -> Change:
    """Put what the draft asks for before the reviewers; the draft is done then.

    Raises ChangeRefused: `invalid`, `nothing_changed`, and what change_submit raises.
    """
    draft = (
        Draft.objects.select_for_update(of=("self",))
        .select_related("author", "cluster__connection", "configuration__cluster__connection")
        .get(pk=draft.pk)
    )
    if draft.submitted_change_id is not None:
        return Change.objects.get(pk=draft.submitted_change_id)
    violations = draft_violations(draft)
    if violations:
        raise ChangeRefused(violations[0].message, code="invalid")
    if draft.cluster is None or draft.cluster.gone_at is not None:
        raise ChangeRefused(_("The cluster is gone."), code="cluster_gone")
    properties, name = draft_properties(draft), draft_name(draft)
    if draft.purpose == Draft.Purpose.CREATE:
        target = proposals.create_target(
            draft.cluster, name, properties, draft_install(draft, draft.cluster)
        )
        verb, title = Change.Verb.CREATE, _("Create %(name)s on %(cluster)s")
    else:
        if draft.configuration is None:
            raise ChangeRefused(_("The configuration is gone."), code="gone")
        _refuse_unless_editable(draft.configuration)
        if not _differs(draft.configuration, properties):
            raise ChangeRefused(_("Nothing was changed."), code="nothing_changed")
        target = proposals.update_target(draft.configuration, properties, Change.Verb.UPDATE)
        verb, title = Change.Verb.UPDATE, _("Change %(name)s on %(cluster)s")
    revises = Change.objects.filter(pk=draft.revises_change_id or 0).first()
    change = change_submit(
        author=draft.author,
        kind=proposals.KIND,
        verb=verb,
        title=title % {"name": name, "cluster": draft.cluster.name},
        reason=reason,
        targets=[target],
        revises=revises,
    )
    draft.submitted_change_id = change.pk
    draft.save(update_fields=["submitted_change_id", "updated_at"])
    return change


def _differs(configuration: Configuration, properties: Mapping[str, Any]) -> bool:
    """Whether the edit alters anything, a secret included."""
    known = with_known_secrets(configuration.observed, configuration.desired)
    return live_digest(properties) != live_digest(configuration.observed) or sorted(
        marks_in(properties), key=str
    ) != sorted(marks_in(known), key=str)


@transaction.atomic
def configuration_propose(
    *, author: User, configuration: Configuration, verb: str, reason: str, force: bool = False
) -> Change:
    """Ask to suspend, resume, send again or delete a configuration (a verb of Change.Verb).

    `force`, for a delete by an admin: Azure forgets it without asking the cluster.
    """
    if verb == Change.Verb.DELETE:
        refuse_unless_known(configuration)  # also what hangs in Creating can be deleted
    else:
        _refuse_unless_editable(configuration)
    name = {"name": configuration.name, "cluster": configuration.cluster.name}
    match verb:
        case Change.Verb.SUSPEND:
            target = proposals.suspend_target(configuration, suspend=True)
            title = _("Suspend %(name)s on %(cluster)s")
        case Change.Verb.RESUME:
            target = proposals.suspend_target(configuration, suspend=False)
            title = _("Resume %(name)s on %(cluster)s")
        case Change.Verb.SEND_AGAIN:
            target = _send_again_target(configuration)
            title = _("Send %(name)s on %(cluster)s again")
        case Change.Verb.DELETE:
            target = proposals.delete_target(configuration, force=force)
            title = _("Delete %(name)s from %(cluster)s")
        case _:
            raise ValueError(verb)
    return change_submit(
        author=author,
        kind=proposals.KIND,
        verb=verb,
        title=title % name,
        reason=reason,
        targets=[target],
    )


def _send_again_target(configuration: Configuration) -> Target:
    """The same body once more: for the secrets in it, which Azure keeps under 48 h, or because
    the last write failed (a cluster that was away for as long never took it)."""
    known = with_known_secrets(configuration.observed, configuration.desired)
    if not any(marks_in(known)) and configuration.provisioning_state not in AT_FAULT:
        raise ChangeRefused(
            _("No secret of it is known here, so there is nothing to send again."),
            code="nothing_changed",
        )
    return proposals.update_target(configuration, desired_part(known), Change.Verb.SEND_AGAIN)


def refuse_unless_known(configuration: Configuration) -> None:
    if configuration.gone_at is not None:
        raise ChangeRefused(_("The configuration is gone from Azure."), code="gone")
    if not configuration.observed:
        raise ChangeRefused(
            _("Azure has not reported the configuration yet. Wait until it is observed."),
            code="not_observed",
        )


def _refuse_unless_editable(configuration: Configuration) -> None:
    refuse_unless_known(configuration)
    if configuration.provisioning_state in IN_FLIGHT:
        raise ChangeRefused(
            _("A write of it is under way. Wait until it has ended."), code="in_flight"
        )
