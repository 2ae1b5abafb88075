"""The pages of the extension: drawn from the catalogue, and only what differs becomes a change."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from access.models import Environment, Role, User
from changes.models import Change
from clusters.extension_changes import seen_digest
from clusters.extension_settings import CATALOGUE
from clusters.models import Cluster, Extension
from configurations.models import Configuration
from tests.factories.access import client_of, make_user
from tests.factories.clusters import ClusterFactory, ExtensionFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def extension(environment: Environment) -> Extension:
    cluster = ClusterFactory(name="flux-demo-arc", environment=environment)
    settings = {"source-controller.log-level": "error", "of.tomorrow": "1"}
    return ExtensionFactory(cluster=cluster, settings=settings)


@pytest.fixture
def page(author: User) -> Client:
    return client_of(author)


def url(extension: Extension, name: str = "extension") -> str:
    return reverse(f"clusters:{name}", args=[extension.cluster_id])


def filled(page: Client, extension: Extension, **changes: str) -> dict[str, str]:
    """What a browser sends of the form: every field that is not disabled."""
    form = page.get(url(extension)).context["form"]
    sent = {
        name: str(form[name].value() or "")
        for name, field in form.fields.items()
        if not field.widget.attrs.get("disabled")
    }
    return {**sent, "reason": "It is needed", **changes}


def body(change: Change) -> dict[str, Any]:
    step = change.content["targets"][0]["steps"][0]
    assert step["method"] == "PATCH"
    return dict(step["body"]["properties"])


def test_the_page_draws_every_setting(page: Client, extension: Extension) -> None:
    text = page.get(url(extension)).content.decode()
    for setting in CATALOGUE:
        assert f'name="set:{setting.key}"' in text, setting.key
    assert 'name="set:of.tomorrow"' in text
    assert reverse("clusters:openshift") in text


def test_only_what_differs_is_asked_for(page: Client, extension: Extension) -> None:
    changes = {"set:helm-controller.detectDrift": "true", "set:source-controller.log-level": ""}
    answer = page.post(url(extension), filled(page, extension, **changes))
    change = Change.objects.get()
    assert answer.url == reverse("changes:detail", args=[change.pk])
    assert (change.kind, change.verb) == ("flux_extension", "update")
    assert body(change) == {
        "configurationSettings": {
            "helm-controller.detectDrift": "true",
            "source-controller.log-level": "info",
        }
    }


def test_a_form_sent_as_it_came_asks_for_nothing(page: Client, extension: Extension) -> None:
    answer = page.post(url(extension), filled(page, extension))
    assert answer.status_code == 200
    assert "Nothing differs" in answer.content.decode()
    assert not Change.objects.exists()


def test_a_version_train_and_unknown_setting_are_asked_for(
    page: Client, extension: Extension
) -> None:
    changes = {
        "upgrades": "held",
        "version": "1.24.0",
        "release_train": "Preview",
        "new_key": "other.key",
        "new_value": "v",
        "set:of.tomorrow": "2",
    }
    page.post(url(extension), filled(page, extension, **changes))
    assert body(Change.objects.get()) == {
        "autoUpgradeMinorVersion": False,
        "version": "1.24.0",
        "releaseTrain": "Preview",
        "configurationSettings": {"of.tomorrow": "2", "other.key": "v"},
    }


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("set:kustomize-controller.concurrent", "1000", "from 1 to 100"),
        ("set:useKubeletIdentity", "true", "Only for clusters of kind AKS"),
        ("set:source-controller.resources.limits.memory", "2 GB", "512Mi"),
        ("version", "1.24.0", "turn automatic upgrades off"),
        ("new_key", "not a key", "A key has letters"),
    ],
)
def test_a_refusal_stands_at_its_field(
    page: Client, extension: Extension, field: str, value: str, said: str
) -> None:
    changes = {field: value, "new_value": "x" if field == "new_key" else ""}
    answer = page.post(url(extension), filled(page, extension, **changes))
    assert answer.status_code == 200
    assert any(said in error for error in answer.context["form"].errors[field])
    assert not Change.objects.exists()


def test_a_setting_that_is_too_new_is_closed_and_refused(
    page: Client, extension: Extension
) -> None:
    Extension.objects.update(version="1.22.3")
    key = "set:kustomize-controller.override-manager"
    text = page.get(url(extension)).content.decode()
    assert "Needs version 1.24.0; 1.22.3 is installed." in text
    assert key not in filled(page, extension)
    answer = page.post(url(extension), filled(page, extension, **{key: "lens"}))
    assert "Needs version 1.24.0" in str(answer.context["form"].errors[key])


def test_a_value_that_somebody_set_elsewhere_stays(page: Client, extension: Extension) -> None:
    Extension.objects.update(settings={"helm-controller.log-level": "trace"})
    changes = {"set:multiTenancy.enforce": "false"}
    page.post(url(extension), filled(page, extension, **changes))
    assert body(Change.objects.get()) == {
        "configurationSettings": {"multiTenancy.enforce": "false"}
    }


def test_a_form_that_is_behind_is_refused(page: Client, extension: Extension) -> None:
    data = filled(page, extension, **{"set:multiTenancy.enforce": "false"})
    Extension.objects.update(settings={"multiTenancy.enforce": "true"})
    answer = page.post(url(extension), data)
    assert "altered since" in answer.content.decode()
    assert data["seen"] != seen_digest(Extension.objects.get())
    assert not Change.objects.exists()


def test_the_way_up_is_told(page: Client, extension: Extension) -> None:
    Extension.objects.update(version="1.20.4", auto_upgrade=False)
    text = page.get(url(extension)).content.decode()
    assert "This one is older" in text
    assert "Hold it to 1.22.2" in text
    assert "Before 1.23.0" in text
    Extension.objects.update(version="1.24.1")
    text = page.get(url(extension)).content.decode()
    assert "The newest version that is known" in text
    assert "The way up" not in text


def test_a_newer_one_in_the_fleet_is_the_newest(page: Client, extension: Extension) -> None:
    ExtensionFactory(version="1.25.0")
    assert page.get(url(extension)).context["support"].newest == "1.25.0"


def test_a_viewer_sees_it_closed(viewer: User, extension: Extension) -> None:
    text = client_of(viewer).get(url(extension)).content.decode()
    assert "<fieldset" in text
    assert " disabled>" in text
    assert "Submit for review" not in text


def test_where_there_is_none_the_cluster_says_so(page: Client, environment: Environment) -> None:
    cluster: Cluster = ClusterFactory(environment=environment)
    answer = page.get(reverse("clusters:extension", args=[cluster.pk]))
    assert answer.url == reverse("clusters:detail", args=[cluster.pk])
    there = reverse("clusters:extension_delete", args=[cluster.pk])
    assert page.get(there).status_code == 404


# --- Delete ---------------------------------------------------------------------------------
def configured(extension: Extension) -> Configuration:
    arm_id = f"{extension.cluster.arm_id}/cluster-config"
    return Configuration.objects.create(
        cluster=extension.cluster, arm_id=arm_id, arm_id_display=arm_id, name="cluster-config"
    )


def test_a_delete_wants_the_name_of_the_cluster(page: Client, extension: Extension) -> None:
    there = url(extension, "extension_delete")
    answer = page.post(there, {"typed_name": "another", "reason": "Moved away"})
    assert "typed_name" in answer.context["form"].errors
    assert not Change.objects.exists()
    page.post(there, {"typed_name": "flux-demo-arc", "reason": "Moved away"})
    change = Change.objects.get()
    assert (change.verb, change.content["targets"][0]["steps"][0]["options"]) == ("delete", {})


def test_configurations_stand_in_the_way_of_a_delete(page: Client, extension: Extension) -> None:
    configuration = configured(extension)
    there = url(extension, "extension_delete")
    text = page.get(there).content.decode()
    assert reverse("configurations:delete", args=[configuration.pk]) in text
    assert 'name="typed_name"' not in text
    answer = page.post(there, {"typed_name": "flux-demo-arc", "reason": "Moved away"})
    assert "cluster-config" in str(answer.context["form"].non_field_errors())
    assert not Change.objects.exists()


def test_force_is_for_admins(page: Client, extension: Extension, environment: Environment) -> None:
    there = url(extension, "extension_delete")
    data = {"typed_name": "flux-demo-arc", "reason": "x", "force": "on"}
    assert "force" not in page.get(there).context["form"].fields
    client_of(make_user(Role.ADMIN, environment)).post(there, data)
    step = Change.objects.get().content["targets"][0]["steps"][0]
    assert step["options"] == {"force": True}


# --- OpenShift ------------------------------------------------------------------------------
def test_openshift_gets_the_commands_of_the_tutorial(page: Client) -> None:
    text = page.get(reverse("clusters:openshift")).content.decode()
    for name in ("kustomize", "helm", "source", "notification", "image-automation"):
        account = f"system:serviceaccount:flux-system:{name}-controller"
        assert f"oc adm policy add-scc-to-user nonroot {account}" in text
    assert text.count("data-copy=") >= 7


def test_an_openshift_cluster_leads_there_before_the_install(
    page: Client, environment: Environment
) -> None:
    cluster = ClusterFactory(environment=environment, distribution="openshift")
    text = page.get(reverse("clusters:detail", args=[cluster.pk])).content.decode()
    assert reverse("clusters:openshift") in text
    other = ClusterFactory(environment=environment, distribution="k3s")
    text = page.get(reverse("clusters:detail", args=[other.pk])).content.decode()
    assert reverse("clusters:openshift") not in text
