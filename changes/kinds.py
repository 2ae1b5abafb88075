"""What a kind of write must say of itself to be reviewed and applied by the engine.

`clusters` and `configurations` register kinds at start (AppConfig.ready). A new thing that
needs review is a new kind here, never a new workflow. Methods marked NETWORK may call Azure and
are never called inside a transaction or from a web request; the others are pure or read only
the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from changes.faces import Face
    from changes.models import Change, Operation

Wire = dict[str, Any]  # a resource or a body as ARM's JSON


@dataclass(frozen=True, kw_only=True)
class Step:
    """One write that the change consists of, frozen at submit and covered by the digest.

    `body` is exactly what will be sent (None for a delete), with `{"$secret": "<version id>"}`
    where a secret value goes. `base_digest` is the digest of the live resource that the author
    and the reviewers saw ("" where it did not exist); `base` is that resource for the diff.
    """

    kind: str
    verb: str
    resource_id: str  # lower-case ARM id
    resource_name: str
    method: str  # PUT, PATCH, DELETE
    api_version: str
    body: Wire | None
    base: Wire | None
    base_digest: str
    options: Wire = field(default_factory=dict)  # e.g. {"force": true}


@dataclass(frozen=True, kw_only=True)
class Target:
    """One cluster and the steps that run on it one after another."""

    name: str
    resource_id: str
    cluster_id: int | None
    configuration_id: int | None
    environment_id: int | None
    steps: Sequence[Step]


@dataclass(frozen=True, kw_only=True)
class Risk:
    """A chip on the review page: `tone` is good, warn or bad; `anchor` a line of the diff.

    `url`: where it is explained, for one that is not about a line.
    """

    code: str
    text: str  # translated, for people only
    tone: str = "warn"
    icon: str = "alert-triangle"
    anchor: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One number of the blast radius: "41 objects applied"."""

    value: str
    text: str
    tone: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class EvidenceItem:
    """One finding: `detail` is a program's own words, `listed` names things one a line."""

    tone: str  # good, warn, bad or none
    icon: str
    title: str
    text: str = ""
    detail: str = ""
    listed: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Something that was tried before the review: what came out, and when."""

    code: str
    title: str
    tone: str  # good, warn, bad, busy or none
    icon: str
    text: str
    at: datetime | None
    items: Sequence[EvidenceItem] = ()


@dataclass(frozen=True, kw_only=True)
class Live:
    """The resource as it is now; `resource` None: it does not exist."""

    resource: Wire | None
    digest: str


@dataclass(frozen=True, kw_only=True)
class Sent:
    """ARM's answer to an accepted write.

    `finished` is true when ARM says that nothing remains to be polled. `operation_url` has been
    checked to be of the connection's own ARM host.
    """

    finished: bool
    operation_url: str = ""
    retry_after: float | None = None  # seconds
    correlation_id: str = ""
    resource: Wire | None = None


@dataclass(frozen=True, kw_only=True)
class Polled:
    """How the operation stands; when terminal, whether it succeeded, and else why not."""

    terminal: bool
    succeeded: bool = False
    gone: bool = False  # the operation URL is not known any more: judge by the resource
    code: str = ""
    message: str = ""
    retry_after: float | None = None


class Kind(Protocol):
    """A kind of reviewed write. Problems are raised as changes.errors.WriteProblem."""

    name: str

    def label(self) -> str:
        """The kind in words: "Flux configuration"."""

    def risks(self, change: Change) -> Sequence[Risk]:
        """What a reviewer should not miss, worst first."""

    def facts(self, change: Change) -> Sequence[Fact]:
        """The blast radius in numbers."""

    def target_url(self, change: Change, position: int) -> str:
        """The page of what the target is about ("" while there is none)."""

    def read(self, operation: Operation, step: Step) -> Live:
        """NETWORK: the live resource now, with its digest computed as at submit."""

    def is_desired(self, step: Step, live: Live) -> bool:
        """Whether `live` already is what the step wants (defaults and order apart)."""

    def settled(self, step: Step, live: Live) -> Polled:
        """Judge the outcome by the resource itself (its provisioning state)."""

    def send(self, operation: Operation, step: Step, *, client_request_id: str) -> Sent:
        """NETWORK: the write, once, without waiting for its outcome."""

    def poll(self, operation: Operation) -> Polled:
        """NETWORK: ask the stored operation URL once."""

    def accepted(self, operation: Operation, step: Step, sent: Sent) -> None:
        """In the engine's transaction: ARM took the write (show Creating, watch closely)."""

    def finished(self, operation: Operation, step: Step) -> None:
        """In the engine's transaction: the operation reached a final state."""


@runtime_checkable
class Revisable(Protocol):
    """What a kind has besides when its author can reopen a change and send it again."""

    def revise_url(self, change: Change) -> str:
        """The address that reopens the change by POST ("" where this one cannot be revised)."""


@runtime_checkable
class Observing(Protocol):
    """What a kind has besides when it knows, without asking Azure, that a base has moved."""

    def moved_targets(self, change: Change) -> Sequence[int]:
        """Positions of targets whose last observed state is not the base that was submitted."""


@runtime_checkable
class Tried(Protocol):
    """What a kind has besides when things were tried before the review, for reviewers to see."""

    def evidence(self, change: Change) -> Sequence[Evidence]:
        """What was tried, newest of each sort. Reads only the database."""


@runtime_checkable
class Exclusive(Protocol):
    """What a kind has besides when Azure refuses two writes at once on different resources."""

    def lane(self, step: Step) -> str:
        """What one write at a time may hold, in lower case: such as the id of their parent."""


@runtime_checkable
class Faced(Protocol):
    """What a kind has besides when its steps can be said in the words of other tools."""

    def faces(self, target: Target) -> Mapping[int, Sequence[Face]]:
        """The faces of this kind's steps, by their place in the target. May read the database."""


_KINDS: dict[str, Kind] = {}


def lane_of(step: Step) -> str:
    """What no other write may hold while this step's runs: its resource, unless the kind says."""
    kind: object = _KINDS.get(step.kind)
    return kind.lane(step) if isinstance(kind, Exclusive) else step.resource_id


def register(kind: Kind) -> None:
    """Make a kind known; a second one of the same name is a programming error."""
    if kind.name in _KINDS and type(_KINDS[kind.name]) is not type(kind):
        raise ValueError(f"The kind {kind.name} is registered twice.")
    _KINDS[kind.name] = kind


def kind_named(name: str) -> Kind:
    """The registered kind; KeyError for an unknown one."""
    return _KINDS[name]


def registered() -> Mapping[str, Kind]:
    """All kinds by name."""
    return dict(_KINDS)
