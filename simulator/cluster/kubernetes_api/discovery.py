"""What a cluster says of itself: versions, groups, kinds, and a sketch of its OpenAPI."""

from __future__ import annotations

from collections.abc import Iterable

from simulator.cluster.objects import Manifest
from simulator.cluster.resources import Resource

VERSION = "v1.31.7"


def version() -> Manifest:
    return {
        "major": "1",
        "minor": "31",
        "gitVersion": VERSION,
        "gitCommit": "0" * 40,
        "gitTreeState": "clean",
        "buildDate": "2025-03-11T20:01:22Z",
        "goVersion": "go1.22.12",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def core_versions() -> Manifest:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def groups(resources: Iterable[Resource]) -> Manifest:
    """Return the list of API groups, each with its versions, preferred first."""
    versions: dict[str, list[str]] = {}
    for resource in resources:
        if resource.group:
            known = versions.setdefault(resource.group, [])
            known += [item for item in resource.versions if item not in known]
    found = [_group(name, known) for name, known in versions.items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def group(name: str, resources: Iterable[Resource]) -> Manifest | None:
    """Return one API group; None when it is not served."""
    found = groups(item for item in resources if item.group == name)["groups"]
    return {"kind": "APIGroup", "apiVersion": "v1"} | found[0] if found else None


def _group(name: str, versions: list[str]) -> Manifest:
    listed = [{"groupVersion": f"{name}/{item}", "version": item} for item in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def kinds(group_name: str, api_version: str, resources: Iterable[Resource]) -> Manifest | None:
    """Return the kinds of a group in one version; None when it is not served."""
    served = [
        item for item in resources if item.group == group_name and api_version in item.versions
    ]
    if not served:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": served[0].group_version(api_version),
        "resources": [
            {
                "name": item.plural,
                "singularName": item.kind.lower(),
                "namespaced": item.namespaced,
                "kind": item.kind,
                "verbs": ["get", "list"],
                "shortNames": list(item.short_names),
                "categories": ["all"] if item.in_all else [],
            }
            for item in served
        ],
    }


def openapi_v2() -> Manifest:
    info = {"title": "Kubernetes", "version": VERSION}
    return {"swagger": "2.0", "info": info, "paths": {}, "definitions": {}}


def openapi_v3() -> Manifest:
    return {"paths": {}}
