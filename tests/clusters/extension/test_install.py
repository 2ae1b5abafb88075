"""Installing Flux as chosen: on its own, or on the way to a first configuration."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import reverse

from access.models import Environment, User
from changes.models import Change
from clusters.extension_changes import Update, extension_update_propose, seen_digest
from clusters.extension_forms import upgrades_of
from clusters.extension_settings.versions import known, read_known
from clusters.extension_support import support_of
from clusters.models import Cluster
from configurations import services
from configurations.models import Draft
from tests.configurations.test_compose import tutorial_data
from tests.factories.access import client_of
from tests.factories.clusters import ClusterFactory, ConnectionFactory, ExtensionFactory
from tests.factories.configurations import ConfigurationFactory, ObjectStatusFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def bare(environment: Environment) -> Cluster:
    found: Cluster = ClusterFactory(name="bare", environment=environment)
    return found


@pytest.fixture
def page(author: User) -> Client:
    return client_of(author)


def install_body() -> dict[str, Any]:
    step = Change.objects.get().content["targets"][0]["steps"][0]
    assert (step["kind"], step["method"]) == ("flux_extension", "PUT")
    found: dict[str, Any] = step["body"]["properties"]
    return found


# --- On its own -----------------------------------------------------------------------------
def test_version_train_and_settings_are_chosen_on_the_page(page: Client, bare: Cluster) -> None:
    there = reverse("clusters:install", args=[bare.pk])
    assert "image-reflector-controller" in page.get(there).content.decode()
    answer = page.post(
        there,
        {
            "upgrades": "held",
            "version": "1.23.0",
            "release_train": "Preview",
            "set:image-reflector-controller.enabled": "true",
            "new_key": "of.tomorrow",
            "new_value": "1",
            "reason": "Images are automated",
        },
    )
    assert answer.status_code == 302
    assert install_body() == {
        "extensionType": "microsoft.flux",
        "autoUpgradeMinorVersion": False,
        "version": "1.23.0",
        "releaseTrain": "Preview",
        "scope": {"cluster": {"releaseNamespace": "flux-system"}},
        "configurationSettings": {"image-reflector-controller.enabled": "true", "of.tomorrow": "1"},
    }


def test_patches_only_is_a_mode_of_the_newer_interface(page: Client, bare: Cluster) -> None:
    there = reverse("clusters:install", args=[bare.pk])
    page.post(there, {"upgrades": "patch", "reason": "Quietly"})
    assert install_body()["autoUpgradeMode"] == "patch"


def test_the_older_interface_has_no_modes(author: User, environment: Environment) -> None:
    connection = ConnectionFactory(api_version="2023-05-01")
    old = ClusterFactory(environment=environment, connection=connection)
    page = client_of(author)
    there = reverse("clusters:install", args=[old.pk])
    assert 'value="patch"' not in page.get(there).content.decode()
    assert page.post(there, {"upgrades": "patch", "reason": "x"}).status_code == 200
    extension = ExtensionFactory(cluster=old)
    with pytest.raises(Exception, match="autoUpgradeMode needs version 2025-03-01"):
        extension_update_propose(
            author=author,
            extension=extension,
            update=Update(mode="patch"),
            seen=seen_digest(extension),
            reason="x",
        )


def test_a_setting_newer_than_the_chosen_version_is_refused(page: Client, bare: Cluster) -> None:
    there = reverse("clusters:install", args=[bare.pk])
    data = {
        "upgrades": "held",
        "version": "1.22.2",
        "set:kustomize-controller.override-manager": "lens",
        "reason": "x",
    }
    answer = page.post(there, data)
    assert "Needs version 1.24.0" in answer.content.decode()
    assert 'value="lens"' in answer.content.decode()
    assert not Change.objects.exists()


def test_a_mode_is_seen_and_changed_back(author: User, environment: Environment) -> None:
    observed = {"properties": {"autoUpgradeMinorVersion": True, "autoUpgradeMode": "patch"}}
    cluster = ClusterFactory(environment=environment)
    extension = ExtensionFactory(cluster=cluster, observed=observed)
    assert upgrades_of(extension) == "patch"
    extension_update_propose(
        author=author,
        extension=extension,
        update=Update(auto_upgrade=True, mode="compatible"),
        seen=seen_digest(extension),
        reason="x",
    )
    step = Change.objects.get().content["targets"][0]["steps"][0]
    assert step["body"] == {"properties": {"autoUpgradeMode": "compatible"}}


# --- On the way -----------------------------------------------------------------------------
def draft(author: User, cluster: Cluster, **install: str) -> Draft:
    made = services.draft_create(author=author, cluster=cluster)
    made.data = tutorial_data()
    made.data["review"]["install"] = install
    made.save()
    return made


def test_the_wizard_installs_it_as_chosen(page: Client, author: User, bare: Cluster) -> None:
    made = draft(author, bare)
    there = reverse("configurations:draft_review", args=[made.pk])
    assert "How the extension is installed" in page.get(there).content.decode()
    data = {
        "install-version": "1.24.0",
        "install-release_train": "",
        "install-settings": "multiTenancy.enforce=false\nof.tomorrow=1",
        "reason": "First",
        "go": "submit",
    }
    assert page.post(there, data).status_code == 302
    body = install_body()
    assert (body["version"], body["autoUpgradeMinorVersion"]) == ("1.24.0", False)
    assert body["configurationSettings"] == {"multiTenancy.enforce": "false", "of.tomorrow": "1"}
    steps = Change.objects.get().content["targets"][0]["steps"]
    assert [it["kind"] for it in steps] == ["flux_extension", "flux_configuration"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("multiTenancy.enforce=maybe", "multiTenancy.enforce"),
        ("useKubeletIdentity=true", "Only for clusters of kind AKS"),
        ("no value here", "KEY=VALUE"),
    ],
)
def test_a_wrong_choice_is_refused_with_the_reason_and_kept(
    page: Client, author: User, bare: Cluster, text: str, reason: str
) -> None:
    made = draft(author, bare)
    there = reverse("configurations:draft_review", args=[made.pk])
    answer = page.post(there, {"install-settings": text, "reason": "First", "go": "submit"})
    shown = answer.content.decode()
    assert reason in shown
    assert text in shown
    assert not Change.objects.exists()


def test_a_revision_keeps_the_choice(author: User, bare: Cluster) -> None:
    made = draft(author, bare, version="1.24.0", settings="of.tomorrow=1")
    change = services.draft_submit(draft=made, reason="First")
    again = services.draft_revise(author=author, change=change)
    assert again.data["review"]["install"] == {
        "version": "1.24.0",
        "release_train": "",
        "settings": "of.tomorrow=1",
    }


# --- What is known --------------------------------------------------------------------------
def test_the_table_says_when_it_was_written_and_can_be_replaced(
    page: Client, environment: Environment, settings: Any, tmp_path: Any
) -> None:
    extension = ExtensionFactory(cluster=ClusterFactory(environment=environment))
    there = reverse("clusters:extension", args=[extension.cluster_id])
    text = page.get(there).content.decode()
    assert f"table of {known().updated}" in text
    assert "Flux 2.7.5" in text
    newer = tmp_path / "versions.json"
    newer.write_text(
        '{"updated": "2026-12-01", "source": "our own", "versions": [{"version": "1.26.0"}]}'
    )
    settings.FLUX_VERSIONS_PATH = str(newer)
    support = support_of(extension)
    assert (support.newest, support.known.source) == ("1.26.0", "our own")
    assert support.supported  # 1.24.1 is one of the newest three minor versions
    assert not support.is_newest


def test_a_table_that_is_none_stops_with_the_name_of_the_setting(tmp_path: Any) -> None:
    broken = tmp_path / "broken.json"
    for content in ("[]", "{}", '{"updated": "x", "source": "y", "versions": [{"version": "z"}]}'):
        broken.write_text(content)
        read_known.cache_clear()
        with pytest.raises(ImproperlyConfigured, match="FLUXGATE_FLUX_VERSIONS_PATH"):
            read_known(broken)


def test_the_end_of_beta_interfaces_names_where_to_look(environment: Environment) -> None:
    cluster = ClusterFactory(environment=environment)
    extension = ExtensionFactory(cluster=cluster, version="1.22.3")
    configuration = ConfigurationFactory(cluster=cluster, name="with-charts")
    by = "cluster-config/with-charts-infra"
    for name in ("nginx", "redis"):
        ObjectStatusFactory(
            configuration=configuration, kind="HelmRelease", name=name, applied_by=by
        )
    ObjectStatusFactory(configuration=configuration, kind="GitRepository", name="own")
    ConfigurationFactory(cluster=cluster, name="plain")
    [found] = support_of(extension).concerned
    assert (found.name, found.objects) == ("with-charts", "2 HelmRelease")
    extension.version = "1.24.0"
    assert support_of(extension).concerned == []
