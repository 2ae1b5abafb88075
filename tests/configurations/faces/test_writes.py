"""A change in the words of other tools says what would be sent, and a configuration what it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from access.models import User
from changes.content import targets_of
from changes.faces import Face, faces_of
from changes.kinds import Step, Target
from changes.models import Change
from changes.services import change_submit
from clusters.extension_changes import uninstall_step, update_step
from clusters.models import Cluster
from configurations import proposals, services
from configurations.faces import bring_in
from configurations.models import Configuration
from tests.configurations.faces import readers
from tests.factories.configurations import TUTORIAL, ConfigurationFactory

pytestmark = pytest.mark.django_db
FACES = ["az", "bicep", "azurerm", "azapi", "arm", "flux", "rest"]
SECRET_MARK = {"$secret": "77"}


def said(target: Target, step: int = -1) -> dict[str, Face]:
    return {it.code: it for it in faces_of(target)[step]}


def request_of(face: Face, tmp_path: Path) -> tuple[str, str, Any]:
    """Method, URL and body that the script of a REST face hands to az rest."""
    words = readers.ran(face.text, tmp_path)
    given = dict(zip(words[1::2], words[2::2], strict=False))
    body = given.get("--body")
    sent = json.loads((tmp_path / body.removeprefix("@")).read_text()) if body else None
    return given["--method"], given["--url"], sent


@pytest.fixture
def managed(configuration: Configuration) -> Configuration:
    """Made by the portal: it is replaced as a whole."""
    configuration.adopted = False
    configuration.desired = dict(configuration.observed)
    configuration.save()
    return configuration


def test_a_create_has_every_face_of_its_body_and_the_request_to_the_letter(
    bare_cluster: Cluster, tmp_path: Path
) -> None:
    target = proposals.create_target(bare_cluster, "cluster-config", _properties())
    faces = said(target)
    assert list(faces) == FACES
    _given, wire = readers.az_wire(faces["az"].text)
    assert wire["kustomizations"]["apps"]["dependsOn"] == ["infra"]
    assert request_of(faces["rest"], tmp_path) == (
        "put",
        f"{bare_cluster.connection.arm_endpoint}{target.resource_id}?api-version=2025-04-01",
        target.steps[-1].body,
    )


def test_the_extension_that_is_installed_first_has_its_own_command(
    bare_cluster: Cluster, tmp_path: Path
) -> None:
    target = proposals.create_target(bare_cluster, "cluster-config", _properties())
    faces = said(target, 0)
    assert list(faces) == ["az", "rest"]
    words = readers.arguments(faces["az"].text)
    assert words[:2] == ["k8s-extension", "create"]
    parsed = readers.extension_parser().parse_args(words[2:])
    assert (parsed.name, parsed.cluster_name) == ("flux", bare_cluster.name)
    assert parsed.extension_type == "microsoft.flux"
    assert request_of(faces["rest"], tmp_path)[2] == target.steps[0].body


def test_a_secret_is_a_placeholder_in_every_face_of_a_change(cluster: Cluster) -> None:
    properties = _properties()
    properties["configurationProtectedSettings"] = {"httpsKey": SECRET_MARK}
    for face in said(proposals.create_target(cluster, "c", properties)).values():
        assert "$secret" not in face.text
        assert "77" not in face.text
    assert "<https-key>" in said(proposals.create_target(cluster, "c", properties))["rest"].text


def test_suspending_what_was_made_elsewhere_is_one_update_and_one_patch(
    configuration: Configuration, tmp_path: Path
) -> None:
    faces = said(proposals.suspend_target(configuration, suspend=True))
    words = readers.arguments(faces["az"].text)
    assert words[:3] == ["k8s-configuration", "flux", "update"]
    assert words[-3:] == ["--suspend", "true", "--yes"]
    method, _url, body = request_of(faces["rest"], tmp_path)
    assert (method, body) == ("patch", {"properties": {"suspend": True}})
    (after,) = bring_in(faces["arm"].text)
    assert after.specification.suspend is True
    assert any("replaces the whole" in note for note in faces["arm"].notes)


def test_suspending_what_the_portal_made_replaces_it_whole(managed: Configuration) -> None:
    faces = said(proposals.suspend_target(managed, suspend=True))
    given, wire = readers.az_wire(faces["az"].text)
    assert given.suspend is True
    assert set(wire["kustomizations"]) == {"infra", "apps"}
    assert faces["rest"].text.count("az rest --method put") == 1


def test_a_patch_that_az_has_no_command_for_is_sent_as_it_is(
    configuration: Configuration,
) -> None:
    properties = _properties()
    properties["kustomizations"]["infra"]["prune"] = False
    properties["kustomizations"].pop("apps")
    target = proposals.update_target(configuration, properties, Change.Verb.UPDATE)
    face = said(target)["az"]
    words = readers.arguments(face.text)
    assert words[:3] == ["rest", "--method", "patch"]
    assert json.loads(words[words.index("--body") + 1]) == target.steps[-1].body
    assert face.notes


def test_a_patch_of_the_branch_is_the_update_command(configuration: Configuration) -> None:
    properties = _properties()
    properties["gitRepository"] |= {"repositoryRef": {"branch": "next"}, "timeoutInSeconds": 90}
    target = proposals.update_target(configuration, properties, Change.Verb.UPDATE)
    text = said(target)["az"].text
    assert "--branch next" in text
    assert "--timeout 1m30s" in text
    assert "--kustomization" not in text


@pytest.mark.parametrize("force", [False, True])
def test_a_delete_is_a_command_and_a_request_and_no_file(
    configuration: Configuration, tmp_path: Path, force: bool
) -> None:
    faces = said(proposals.delete_target(configuration, force=force))
    words = readers.arguments(faces["az"].text)
    assert words[:3] == ["k8s-configuration", "flux", "delete"]
    assert ("--force" in words) is force
    method, url, body = request_of(faces["rest"], tmp_path)
    assert (method, body) == ("delete", None)
    assert url.endswith("forceDelete=true") is force
    for code in ("bicep", "azurerm", "azapi", "arm", "flux"):
        assert faces[code].text == ""
        assert faces[code].notes


def test_the_extension_is_updated_and_deleted_by_its_commands(cluster: Cluster) -> None:
    from clusters.extension_changes import Update

    extension = cluster.extension
    step = update_step(extension, Update(settings={"helm-controller.detectDrift": "true"}))
    assert step is not None
    parsed = readers.extension_parser().parse_args(
        readers.arguments(said(_target(cluster, step))["az"].text)[2:]
    )
    assert parsed.settings == [["helm-controller.detectDrift=true"]]
    words = readers.arguments(
        said(_target(cluster, uninstall_step(extension, force=True)))["az"].text
    )
    assert words[:2] == ["k8s-extension", "delete"]
    assert "--force" in words


def test_a_step_of_an_unknown_kind_is_its_request(cluster: Cluster) -> None:
    step = Step(
        kind="something_else", verb="create", resource_id="/x/y", resource_name="y",
        method="PUT", api_version="2030-01-01", body={"a": {"key": SECRET_MARK}}, base=None,
        base_digest="",
    )  # fmt: skip
    (face,) = faces_of(_target(cluster, step))[0]
    assert face.text == (
        "PUT /x/y?api-version=2030-01-01\nContent-Type: application/json\n\n"
        '{\n  "a": {\n    "key": "<key>"\n  }\n}\n'
    )


# --- Pages ----------------------------------------------------------------------------------
def test_the_review_page_shows_each_write_in_the_chosen_form_with_its_file(
    client_of: Any, author: User, approver: User, bare_cluster: Cluster
) -> None:
    draft = services.draft_create(author=author, cluster=bare_cluster)
    draft.data = services.compose.data_from("cluster-config", _properties())
    draft.save()
    change = services.draft_submit(draft=draft, reason="Needed")
    client = client_of(approver)
    page = client.get(f"/changes/{change.pk}/?face=arm").content.decode()
    assert 'id="faces-0-text"' in page  # the extension, which has no template: its az line
    assert "k8s-extension create" in page
    assert "deploymentTemplate.json" in page
    for address in re.findall(r'href="(/changes/\d+/face\?[^"]+)"', page):
        answer = client.get(address.replace("&amp;", "&"))
        assert answer.status_code == 200
        assert answer["Content-Disposition"].startswith('attachment; filename="')
    assert targets_of(change.content)[0].steps[1].body is not None


def test_of_many_targets_one_is_shown_and_each_can_be_reached(
    client_of: Any, author: User, cluster: Cluster, bare_cluster: Cluster
) -> None:
    targets = [
        proposals.create_target(it, "cluster-config", _properties())
        for it in (cluster, bare_cluster)
    ]
    change = change_submit(
        author=author, kind="flux_configuration", verb="create", title="Both", reason="x",
        targets=targets,
    )  # fmt: skip
    client: Client = client_of(author)
    first = client.get(f"/changes/{change.pk}/").content.decode()
    assert "Target 1 of 2: flux-demo-arc" in first
    assert "k8s-extension create" not in first  # it is there already
    second = client.get(f"/changes/{change.pk}/?target=1").content.decode()
    assert "Target 2 of 2: bare-arc" in second
    assert "k8s-extension create" in second
    assert "target=1#faces" in first
    file = client.get(f"/changes/{change.pk}/face?target=1&step=1&face=az").content.decode()
    assert "-c bare-arc" in file


def test_a_configuration_has_every_face_and_each_is_a_file(
    client_of: Any, viewer: User, managed: Configuration
) -> None:
    client: Client = client_of(viewer)
    address = reverse("configurations:faces", args=[managed.pk])
    types = {"arm": "application/json", "flux": "application/yaml", "az": "text/x-shellscript"}
    for code in FACES:
        page = client.get(f"{address}?face={code}").content.decode()
        assert f'id="faces-{code}"' in page
        answer = client.get(f"{reverse('configurations:face', args=[managed.pk])}?face={code}")
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith(types.get(code, "text/"))
        name = re.search(r'filename="([^"]+)"', answer["Content-Disposition"])
        assert name is not None
        assert f"Download {name[1]}" in page


def test_where_approved_and_live_differ_one_chooses(
    client_of: Any, viewer: User, managed: Configuration
) -> None:
    managed.desired = {**_properties(), "suspend": True}
    managed.drifted, managed.drift_fields = True, ["suspend"]
    managed.save()
    client: Client = client_of(viewer)
    address = reverse("configurations:faces", args=[managed.pk])
    assert "of=desired" in client.get(address).content.decode()
    file = reverse("configurations:face", args=[managed.pk])
    assert b"--suspend" in client.get(f"{file}?of=desired").content
    assert b"--suspend" not in client.get(f"{file}?of=observed").content


def test_a_draft_has_its_file_too(client_of: Any, author: User, cluster: Cluster) -> None:
    draft = services.draft_create(author=author, cluster=cluster)
    draft.data = services.compose.data_from("cluster-config", _properties())
    draft.save()
    client: Client = client_of(author)
    url = reverse("configurations:draft_face", args=[draft.pk])
    (read,) = bring_in(client.get(f"{url}?face=arm").content.decode())
    assert read.name == "cluster-config"
    page = client.get(reverse("configurations:draft_source", args=[draft.pk])).content.decode()
    assert f"{url}?face=" in page


@pytest.mark.parametrize("query", ["?target=9", "?step=9", "?target=0&step=5"])
def test_an_address_that_names_no_write_is_not_found(
    query: str, client_of: Any, author: User, configuration: Configuration
) -> None:
    change = services.configuration_propose(
        author=author, configuration=configuration, verb="suspend", reason="x"
    )
    assert client_of(author).get(f"/changes/{change.pk}/face{query}").status_code == 404
    assert client_of(author).get(f"/changes/{change.pk}/?target=x&face=%00").status_code == 200


def test_an_observed_value_of_a_strange_type_does_not_break_the_page(
    client_of: Any, viewer: User, cluster: Cluster
) -> None:
    odd: Configuration = ConfigurationFactory(cluster=cluster, name="odd")
    odd.observed = {**TUTORIAL, "suspend": "perhaps", "gitRepository": {"url": ["x"]}}
    odd.save()
    address = reverse("configurations:faces", args=[odd.pk])
    assert client_of(viewer).get(address).status_code == 200


def _properties() -> dict[str, Any]:
    from configurations.specification.wire import desired_part, spoken

    return spoken(desired_part(json.loads(json.dumps(TUTORIAL))))


def _target(cluster: Cluster, *steps: Step) -> Target:
    return Target(
        name=cluster.name, resource_id=steps[0].resource_id, cluster_id=cluster.pk,
        configuration_id=None, environment_id=cluster.environment_id, steps=steps,
    )  # fmt: skip
