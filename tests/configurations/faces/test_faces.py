"""Every face, read back by its own grammar, is the specification it was made from."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configurations.faces import Face, Place, faces_context, faces_of
from configurations.faces.bring_in import bring_in
from configurations.specification import Specification, normalised
from tests.configurations.faces import readers
from tests.configurations.faces.strategies import SOURCES, TUTORIAL, place, specifications
from tests.shared import SHARED

CODES = ["az", "bicep", "azurerm", "azapi", "arm", "flux", "rest"]
KINDS = ["managedClusters", "connectedClusters", "provisionedClusters"]


def faces(wire: dict[str, Any], where: Place | None = None) -> dict[str, Face]:
    found = faces_of(Specification.from_wire(wire), where or place())
    return {it.code: it for it in found}


def without(wire: dict[str, Any], *fields: str) -> dict[str, Any]:
    """The wire form without what a face cannot say; entries of kustomizations included."""
    result = copy.deepcopy(wire)
    for entry in result.get("kustomizations", {}).values():
        for field in fields:
            entry.pop(field, None)
    for field in fields:
        result.pop(field, None)
    return result


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert normalised(one) == normalised(other)


WAITS = ("waitForReconciliation", "reconciliationWaitDuration")


# --- All of them ----------------------------------------------------------------------------
@given(specifications())
@settings(max_examples=60, deadline=None)
def test_no_face_holds_a_secret_and_each_has_a_place_for_it(wire):
    found = faces(wire, place("managedClusters"))
    assert list(found) == CODES
    for face in found.values():
        assert "S3CRET" not in face.text
        assert all(isinstance(note, str) and note for note in face.notes)


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("cluster", KINDS)
def test_a_draft_that_is_not_finished_has_faces_too(kind, cluster):
    for wire in ({}, {"sourceKind": kind}, {"sourceKind": kind, SOURCES[kind][0]: {}},
                 {"kustomizations": {"": None, "a": {}}}):  # fmt: skip
        where = Place("", cluster, "", "", "")
        assert list(faces(wire, where)) == CODES


def test_a_password_in_the_url_is_left_out_and_told():
    wire = copy.deepcopy(TUTORIAL)
    wire["gitRepository"]["url"] = "https://me:hunter2@example.com/x"
    for face in faces(wire).values():
        assert "hunter2" not in face.text
        assert any("password" in note for note in face.notes)


def test_what_another_kind_of_source_left_behind_is_no_part_of_it():
    wire = {**TUTORIAL, "bucket": {"url": "https://old.example.com"}}
    assert all("old.example.com" not in it.text for it in faces(wire).values())


def test_the_context_of_the_card_falls_back_to_the_first_face():
    specification = Specification.from_wire(TUTORIAL)
    assert faces_context(specification, place(), "bicep")["face"] == "bicep"
    assert faces_context(specification, place(), "<script>")["face"] == "az"


# --- az -------------------------------------------------------------------------------------
def test_the_tutorial_as_a_command():
    assert faces(TUTORIAL)["az"].text == (
        "az k8s-configuration flux create \\\n"
        "  --subscription 11111111-1111-1111-1111-111111111111 \\\n"
        "  -g flux-demo-rg \\\n  -c flux-demo-arc \\\n  -t connectedClusters \\\n"
        "  -n cluster-config \\\n  --namespace cluster-config \\\n  --scope cluster \\\n"
        "  -u https://github.com/Azure/gitops-flux2-kustomize-helm-mt \\\n  --branch main \\\n"
        "  --kustomization name=infra path=./infrastructure prune=true \\\n"
        "  --kustomization name=apps path=./apps/staging depends_on=infra prune=true\n"
    )
    assert faces(TUTORIAL)["az"].notes == ()


@given(specifications())
@settings(max_examples=150, deadline=None)
def test_the_command_is_the_specification(wire):
    given_, read = readers.az_wire(faces(wire)["az"].text)
    same(read, without(wire, "postBuild", *WAITS))
    assert (given_.name, given_.resource_group) == ("cluster-config", "flux-demo-rg")


@pytest.mark.parametrize("odd", ["-x", "--help", "-g", "--tag=1", "- a", "$(id)", "a'b", "a\nb"])
def test_no_value_passes_for_an_option_or_for_shell(odd):
    wire = copy.deepcopy(TUTORIAL)
    wire["gitRepository"] |= {"url": odd, "repositoryRef": {"tag": odd}}
    wire["kustomizations"]["apps"]["path"] = odd
    given_, read = readers.az_wire(faces(wire, place(name=odd))["az"].text)
    same(read, wire)
    assert given_.name == odd


def test_the_command_asks_for_the_secrets_it_needs():
    wire = {**TUTORIAL, "configurationProtectedSettings": {"httpsKey": "S3CRET"}}
    given_, _read = readers.az_wire(faces(wire)["az"].text)
    assert given_.https_key == "<https-key>"


def test_the_command_tells_what_it_cannot_say():
    wire = copy.deepcopy(TUTORIAL)
    wire["kustomizations"]["infra"]["postBuild"] = {"substitute": {"a": "b"}}
    wire["gitRepository"]["provider"] = "GitHub"
    assert faces(wire)["az"].notes == ("az has no option for gitRepository.provider, postBuild.",)


def test_provisioned_clusters_name_their_provider():
    text = faces(TUTORIAL, place("provisionedClusters"))["az"].text
    assert "--cluster-resource-provider Microsoft.HybridContainerService" in text


# --- ARM ------------------------------------------------------------------------------------
@given(specifications())
@settings(max_examples=100, deadline=None)
def test_the_template_is_the_specification(wire):
    (read,) = bring_in(faces(wire)["arm"].text)
    same(read.specification.to_wire(), wire)
    assert read.name == "cluster-config"


SCHEMAS = SHARED / "azure-data" / "schema"


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason="the saved ARM schemas are not here")
@pytest.mark.parametrize("kind", SOURCES)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_the_template_keeps_the_schema_of_arm(kind, data):
    import jsonschema
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT4

    saved = json.loads((SCHEMAS / "Microsoft.KubernetesConfiguration-2025-04-01.json").read_text())
    expression = {"type": "string", "pattern": r"^\[([^\[].*)?\]$"}
    wire = data.draw(specifications(kinds=(kind,)))
    registry = Registry().with_resources(
        [
            ("urn:saved", Resource(saved, DRAFT4)),
            (
                "https://schema.management.azure.com/schemas/common/definitions.json",
                Resource({"definitions": {"expression": expression}}, DRAFT4),
            ),
        ]
    )
    schema = _strict(saved)["definitions"]["FluxConfigurationProperties"]
    schema = {**schema, "definitions": _strict(saved)["definitions"]}
    template = json.loads(faces(wire)["arm"].text)
    (resource,) = template["resources"]
    jsonschema.Draft4Validator(schema, registry=registry).validate(resource["properties"])
    assert {it["type"] for it in template.get("parameters", {}).values()} <= {"secureString"}


def _strict(value: Any) -> Any:
    """The schema with every named object closed, so that an unknown field is a fault."""
    if isinstance(value, dict):
        closed = {key: _strict(it) for key, it in value.items()}
        if value.get("properties"):
            closed.setdefault("additionalProperties", False)
        return closed
    return [_strict(it) for it in value] if isinstance(value, list) else value


# --- Bicep ----------------------------------------------------------------------------------
@given(specifications())
@settings(max_examples=150, deadline=None)
def test_bicep_is_the_specification(wire):
    file = readers.Bicep(faces(wire, place("managedClusters"))["bicep"].text)
    cluster, resource = file.resources["cluster"], file.resources["configuration"]
    assert cluster["existing"]
    assert cluster["type"].startswith("Microsoft.ContainerService/managedClusters@")
    assert cluster["body"] == {"name": "flux-demo-arc"}
    assert resource["type"] == "Microsoft.KubernetesConfiguration/fluxConfigurations@2025-04-01"
    assert resource["body"]["scope"] == readers.Reference("cluster")
    same(resource["body"]["properties"], wire)
    assert all(file.parameters.values())  # each one is @secure
    settings_ = resource["body"]["properties"].get("configurationProtectedSettings", {})
    assert set(settings_.values()) <= set(file.parameters)


# --- REST -----------------------------------------------------------------------------------
@given(specifications())
@settings(max_examples=25, deadline=None)
def test_the_rest_script_sends_the_specification(wire):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        script = (
            'az() { if [ "$1" = rest ]; then printf \'%s\\0\' "$@"; else echo TOKEN; fi; }\n'
            "curl() { printf '%s\\0' \"$@\"; }\n" + faces(wire)["rest"].text
        )
        run = subprocess.run(
            ["bash", "-c", script], cwd=folder, capture_output=True, check=True, text=True
        )
        body = json.loads((Path(folder) / "cluster-config.body.json").read_text("utf-8"))
    words = run.stdout.split("\0")[:-1]
    url = (
        "https://management.azure.com"
        + place().cluster_id
        + "/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/cluster-config"
        "?api-version=2025-04-01"
    )
    assert words[:7] == [
        "rest", "--method", "put", "--url", url, "--body", "@cluster-config.body.json"
    ]  # fmt: skip
    assert "Authorization: Bearer TOKEN" in words
    assert words.count(url) == 2
    same(body["properties"], wire)
