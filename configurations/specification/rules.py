"""Every rule that a specification has to keep before anybody is asked to review it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.utils.translation import gettext as _

from configurations.specification import texts
from configurations.specification.graph import cycles
from configurations.specification.models import (
    SOURCE_BODIES,
    GitRepository,
    Kustomization,
    RepositoryRef,
    Specification,
    TimedSource,
)
from configurations.specification.sources import source_rules
from configurations.specification.violations import Violation

OLDER_VERSION = "2023-05-01"
COMBINED_LIMIT = 63  # the Kustomization on the cluster is <configuration>-<kustomization>
_PROVIDERS = ("Azure", "GitHub", "Generic")


def violations_of(
    specification: Specification, *, name: str, api_version: str = "2025-04-01"
) -> list[Violation]:
    """All broken rules of a configuration called `name`, in the order of the wizard's fields."""
    return list(_all(specification, name, api_version))


def _all(spec: Specification, name: str, api_version: str) -> Iterator[Violation]:
    yield from _at(texts.name(name), "name")
    yield from _at(texts.namespace(spec.namespace or "default"), "namespace")
    if spec.scope not in (None, "cluster", "namespace"):
        yield Violation(("scope",), "choice", _("Choose cluster or namespace."))
    if spec.reconciliation_wait_duration:
        yield from _at(
            texts.iso_duration(spec.reconciliation_wait_duration), "reconciliationWaitDuration"
        )
    yield from _version(spec, api_version)
    yield from _source(spec)
    yield from kustomization_rules(spec, name)


def _at(violation: Violation | None, *field: str) -> Iterator[Violation]:
    if violation is not None:
        yield violation.under(*field)


# --- Source ---------------------------------------------------------------------------------
def _source(spec: Specification) -> Iterator[Violation]:
    if spec.kind not in SOURCE_BODIES:
        yield Violation(("sourceKind",), "choice", _("Choose a kind of source that Azure knows."))
        return
    body = SOURCE_BODIES[spec.kind]
    source = spec.source
    if source is None:
        yield Violation((body,), "required", _("The source of the chosen kind is missing."))
        return
    for kind, other in SOURCE_BODIES.items():
        if kind != spec.kind and _has_content(getattr(spec, _attribute(other))):
            yield Violation(
                (other,), "other_kind",
                _("This belongs to another kind of source than %(kind)s.") % {"kind": spec.kind},
            )  # fmt: skip
    for violation in _timed_source(spec.kind, source):
        yield violation.under(body)
    if isinstance(source, GitRepository):
        for violation in _git(source):
            yield violation.under(body)
    yield from source_rules(spec)


def _attribute(body: str) -> str:
    return {
        "gitRepository": "git_repository",
        "bucket": "bucket",
        "azureBlob": "azure_blob",
        "ociRepository": "oci_repository",
    }[body]


def _has_content(source: TimedSource | None) -> bool:
    return source is not None and any(
        value not in (None, "", {}) for value in source.to_plain().values()
    )


def _timed_source(kind: str, source: TimedSource) -> Iterator[Violation]:
    yield from _at(texts.url(source.url or "", kind), "url")
    yield from _times(source, ("sync_interval_in_seconds", "timeout_in_seconds"))
    if source.local_auth_ref:
        yield from _at(texts.secret_name(source.local_auth_ref), "localAuthRef")


_WIRE_TIMES = {
    "sync_interval_in_seconds": "syncIntervalInSeconds",
    "timeout_in_seconds": "timeoutInSeconds",
    "retry_interval_in_seconds": "retryIntervalInSeconds",
}


def _times(part: Any, attributes: Sequence[str]) -> Iterator[Violation]:
    for attribute in attributes:
        value = getattr(part, attribute)
        if value is not None:
            yield from _at(texts.seconds(value), _WIRE_TIMES[attribute])


def _git(source: GitRepository) -> Iterator[Violation]:
    reference = source.repository_ref or RepositoryRef()
    given = {
        kind: value
        for kind in ("branch", "tag", "semver", "commit")
        if (value := getattr(reference, kind))
    }
    if not given:
        yield Violation(
            ("repositoryRef",), "required", _("Name a branch, a tag, a semver range or a commit.")
        )
    elif len(given) > 1:
        yield Violation(
            ("repositoryRef",), "one_only",
            _("Name only one of %(kinds)s.") % {"kinds": ", ".join(given)},
        )  # fmt: skip
    for kind, value in given.items():
        yield from _at(texts.reference(kind, value), "repositoryRef", kind)
    if source.provider is not None and source.provider not in _PROVIDERS:
        nearest = {it.lower(): it for it in _PROVIDERS}.get(source.provider.lower())
        yield Violation(("provider",), "choice", _("Choose Azure, GitHub or Generic."), nearest)


# --- API version ----------------------------------------------------------------------------
def _version(spec: Specification, api_version: str) -> Iterator[Violation]:
    if api_version != OLDER_VERSION:
        return
    message = _("API version %(version)s does not know %(field)s.")
    lacking: list[tuple[str, ...]] = []
    if spec.git_repository is not None and spec.git_repository.provider is not None:
        lacking.append(("gitRepository", "provider"))
    if spec.oci_repository is not None:
        lacking.append(("ociRepository",))
    if spec.kind == "OCIRepository":
        lacking.append(("sourceKind",))
    for field in lacking:
        name = "OCIRepository" if field == ("sourceKind",) else ".".join(field)
        yield Violation(field, "not_in_version", message % {"version": api_version, "field": name})


# --- Kustomizations -------------------------------------------------------------------------
def kustomization_rules(spec: Specification, configuration_name: str) -> Iterator[Violation]:
    """At least one, each sound, and an order in which they can be applied."""
    entries = {name: it for name, it in (spec.kustomizations or {}).items() if it is not None}
    if not entries:
        yield Violation(("kustomizations",), "required", _("Define at least one kustomization."))
    for name, kustomization in entries.items():
        for violation in one_kustomization(name, kustomization, configuration_name):
            yield violation.under("kustomizations", name)
    for violation in dependency_rules(spec.dependencies):
        yield violation.under("kustomizations")


def one_kustomization(
    name: str, kustomization: Kustomization, configuration_name: str
) -> Iterator[Violation]:
    """The rules of one entry by itself."""
    broken = texts.name(name)
    yield from _at(broken, "name")
    combined = len(configuration_name) + 1 + len(name)
    if broken is None and combined > COMBINED_LIMIT:
        room = COMBINED_LIMIT - 1 - len(configuration_name)
        shorter = name[:room].rstrip("-.") if room > 0 else None
        yield Violation(
            ("name",), "combined",
            _("Together with the configuration's name it may have at most %(n)d characters.")
            % {"n": COMBINED_LIMIT - 1},
            shorter or None,
        )  # fmt: skip
    yield from _at(texts.path(kustomization.path or ""), "path")
    yield from _times(kustomization, tuple(_WIRE_TIMES))
    post_build = kustomization.post_build
    for variable, value in ((post_build and post_build.substitute) or {}).items():
        yield from _at(texts.variable(variable), "postBuild", "substitute", variable)
        if not isinstance(value, str):
            yield Violation(
                ("postBuild", "substitute", variable), "text", _("A variable's value is a text.")
            )
    for position, it in enumerate((post_build and post_build.substitute_from) or []):
        field = ("postBuild", "substituteFrom", str(position))
        if it.kind not in ("ConfigMap", "Secret"):
            yield Violation((*field, "kind"), "choice", _("Choose ConfigMap or Secret."))
        yield from _at(texts.secret_name(it.name or ""), *field, "name")


def dependency_rules(dependencies: dict[str, list[str]]) -> Iterator[Violation]:
    """Unknown names, an entry that waits for itself, and loops (named in full)."""
    for name, wanted in dependencies.items():
        for other in wanted:
            if other == name:
                yield Violation(
                    (name, "dependsOn"), "itself", _("A kustomization may not wait for itself.")
                )
            elif other not in dependencies:
                yield Violation(
                    (name, "dependsOn"), "unknown",
                    _("There is no kustomization “%(name)s”.") % {"name": other},
                )  # fmt: skip
        if len(set(wanted)) < len(wanted):
            yield Violation((name, "dependsOn"), "twice", _("A name is there twice."))
    for loop in cycles(dependencies):
        yield Violation(
            (loop[0], "dependsOn"), "loop",
            _("These wait for each other in a circle: %(loop)s.") % {"loop": " → ".join(loop)},
        )  # fmt: skip
