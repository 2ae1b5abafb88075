"""Many configurations as files: a zip with a folder for each cluster, streamed."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from access.models import User
from changes.faces import file_stem, open_one
from configurations.faces.places import faces_of_configuration
from configurations.listing import visible
from configurations.models import Configuration

LIMIT = 2_000  # files in one zip
CHUNK = 100
_LEFT_OUT = "LEFT-OUT.txt"


class _Pipe:
    """A file that is only written, and emptied by whoever streams it."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits anywhere."""

    def take(self) -> bytes:
        data, self._parts = b"".join(self._parts), []
        return data


def exported(user: User, wanted: Q) -> QuerySet[Configuration]:
    """The rows of an export, as far as this person may see them."""
    rows = visible(user).filter(wanted).select_related("cluster__connection")
    return rows.order_by("cluster__name", "cluster_id", "name", "id")


def zip_of(rows: QuerySet[Configuration], code: str) -> StreamingHttpResponse:
    """At most LIMIT rows, each in the form `code`, as a zip."""
    now = timezone.localtime()
    response = StreamingHttpResponse(
        _bytes(rows[:LIMIT], code, now), content_type="application/zip"
    )
    name = f"configurations-{now:%Y-%m-%d}-{code}.zip"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _bytes(rows: QuerySet[Configuration], code: str, now: datetime) -> Iterator[bytes]:
    pipe: Any = _Pipe()
    folders: dict[int, str] = {}
    left_out: list[str] = []
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in rows.iterator(CHUNK):
            folder = _folder(row, folders)
            of = "observed" if row.observed else "desired"  # what is being made is not seen yet
            context = faces_of_configuration(row, of, code)
            face = open_one(context["faces"], code)
            if face.text:
                _put(archive, f"{folder}/{face.file_name}", face.text, now)
            else:
                left_out.append(f"{folder}/{row.name}: {' '.join(face.notes)}")
            yield pipe.take()
        if left_out:
            _put(archive, _LEFT_OUT, "\n".join(left_out) + "\n", now)
    yield pipe.take()


def _put(archive: zipfile.ZipFile, path: str, text: str, now: datetime) -> None:
    entry = zipfile.ZipInfo(path, now.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, text)


def _folder(row: Configuration, folders: dict[int, str]) -> str:
    """The cluster's name; where two have the same, the second has its key after it."""
    if row.cluster_id not in folders:
        name = file_stem(row.cluster.name)
        taken = {it.lower() for it in folders.values()}
        folders[row.cluster_id] = f"{name}-{row.cluster_id}" if name.lower() in taken else name
    return folders[row.cluster_id]
