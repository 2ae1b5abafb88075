"""The names that the service takes, in the command line's words where it refuses one."""

from __future__ import annotations

import re
from datetime import timedelta

from simulator.arm.errors import validation_failed

_SUBDOMAIN = re.compile(r"[a-z0-9]([.\-a-z0-9]*[a-z0-9])?\Z")
_NAMESPACE = re.compile(r"[a-z0-9]([.\-a-z0-9]*[a-z0-9])?\Z")
_DURATION = re.compile(
    r"P(?=.)(?:(?P<days>\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?\Z"
)


def check_name(name: str, what: str) -> None:
    if len(name) > 63:
        raise validation_failed(f"Invalid {what} '{name}'. It can be a maximum of 63 characters.")
    if not _SUBDOMAIN.match(name):
        raise validation_failed(
            f"Invalid {what} '{name}'. It can only contain lowercase alphanumeric characters, "
            "hyphens, and periods, and cannot begin or end with a hyphen or a period."
        )


def check_namespace(name: str) -> None:
    if len(name) > 253 or not _NAMESPACE.match(name):
        raise validation_failed(
            f"Invalid namespace '{name}'. Maximum of 253 lower case alphanumeric characters, "
            "hyphen and period only."
        )


def read_duration(text: str) -> timedelta:
    """Read an ISO 8601 duration, such as PT5M or P1D; refuses anything else."""
    match = _DURATION.match(text)
    if match is None:
        raise validation_failed(f"'{text}' is not an ISO 8601 duration.")
    return timedelta(**{unit: int(number) for unit, number in match.groupdict("0").items()})
