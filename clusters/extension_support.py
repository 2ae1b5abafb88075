"""What the page says of an extension's version: whether it is supported, and the way up."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from clusters.extension_beta import Concerned, concerned_by_beta
from clusters.extension_changes import newest_version
from clusters.extension_settings.versions import (
    STEP_FIRST,
    STEP_LAST,
    Known,
    is_older,
    is_supported,
    known,
    loses_beta_apis,
    needs_step,
)
from clusters.models import Extension


@dataclass(frozen=True)
class Support:
    """`supported` is None where the version is not known yet; `advice` are steps in order."""

    newest: str
    supported: bool | None
    is_newest: bool
    advice: tuple[str, ...]
    known: Known
    flux: str = ""  # the version of Flux in the installed one, where the table says so
    concerned: list[Concerned] = field(default_factory=list)


def support_of(extension: Extension) -> Support:
    """How the installed version stands to the newest one that is known."""
    newest, installed = newest_version(), extension.version
    advice: list[str] = []
    loses = is_older(installed, newest) and loses_beta_apis(installed, newest)
    if is_older(installed, newest):
        names = {"first": STEP_FIRST, "last": STEP_LAST, "newest": newest}
        if needs_step(installed, newest):
            advice.append(
                _("Hold it to %(last)s: from here the way leads through %(first)s to %(last)s.")
                % names
            )
        if loses:
            advice.append(
                _(
                    "Before 1.23.0, rewrite manifests that name v1beta1, v1beta2, v2beta1 or "
                    "v2beta2 of a Flux interface to v1 or v2: they are not served any more."
                )
            )
        if advice or not extension.auto_upgrade:
            advice.append(
                _("Then go on to %(newest)s, or let Azure upgrade it.") % names
                if advice
                else _("Go on to %(newest)s, or let Azure upgrade it.") % names
            )
        else:
            advice.append(_("Azure brings %(newest)s by itself; there is nothing to do.") % names)
    table = known()
    return Support(
        newest=newest,
        supported=is_supported(installed, newest=newest),
        is_newest=bool(installed) and not is_older(installed, newest),
        advice=tuple(advice),
        known=table,
        flux=next((it.flux for it in table.releases if it.version == installed), ""),
        concerned=concerned_by_beta(extension.cluster) if loses else [],
    )
