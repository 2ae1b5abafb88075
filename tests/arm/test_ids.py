"""ARM ids are read strictly, written in one way, and compared without regard to case."""

from __future__ import annotations

import pytest

from arm import ClusterId, ConfigurationId, ExtensionId, IdentityId, InvalidId, UnsafeUrl
from arm.ids import ResourceGroupId, is_pinned, pin, same, subscription_of
from tests.arm.wire import AKS, ARC, CONFIGURATION, EXTENSION, GROUP, IDENTITY, SUBSCRIPTION

ARM = "https://management.azure.com"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ClusterId, AKS),
        (ClusterId, ARC),
        (ConfigurationId, CONFIGURATION),
        (ExtensionId, EXTENSION),
        (IdentityId, IDENTITY),
        (ResourceGroupId, GROUP),
    ],
)
def test_an_id_reads_and_writes_back(kind: type[ClusterId], text: str) -> None:
    assert str(kind.parse(text)) == text


@pytest.mark.parametrize("kind", [ClusterId, ConfigurationId, ExtensionId, IdentityId])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        GROUP,
        AKS + "/",
        AKS + "\n",
        AKS[1:],
        AKS + "/agentPools/one",
        AKS.replace("shop-1", ".."),
        AKS.replace("shop-1", "a/../../b"),
        AKS.replace("shop-1", "a?api-version=1"),
        AKS.replace("shop-1", "a%2fb"),
        AKS.replace("shop-1", "ａ"),
        AKS.replace(SUBSCRIPTION, "not-a-guid"),
        AKS.replace("rg-shop", "rg."),
        AKS.replace("rg-shop", ""),
        AKS.replace("ContainerService", "Kubernetes"),
        AKS.replace("managedClusters", "virtualMachines"),
        "https://management.azure.com" + AKS,
        CONFIGURATION + "/operations/1",
    ],
)
def test_anything_else_is_refused(kind: type[ClusterId], text: str) -> None:
    with pytest.raises(InvalidId):
        kind.parse(text)


def test_a_configuration_is_no_extension() -> None:
    with pytest.raises(InvalidId):
        ExtensionId.parse(CONFIGURATION)
    with pytest.raises(InvalidId):
        ConfigurationId.parse(EXTENSION)


def test_case_makes_no_difference_and_writing_is_canonical() -> None:
    shouted = CONFIGURATION.upper()
    assert ConfigurationId.parse(shouted) == ConfigurationId.parse(CONFIGURATION)
    assert len({ConfigurationId.parse(shouted), ConfigurationId.parse(CONFIGURATION)}) == 1
    assert ConfigurationId.parse(shouted).key == CONFIGURATION.lower()
    assert ClusterId.parse(AKS.upper()).cluster_type == "managedClusters"
    assert "Microsoft.ContainerService/managedClusters" in str(ClusterId.parse(AKS.upper()))
    assert same(AKS.upper(), AKS + "/")
    assert ClusterId.parse(AKS) != ClusterId.parse(ARC)


def test_a_cluster_names_its_children() -> None:
    cluster = ClusterId.parse(AKS)
    assert str(cluster.configuration("podinfo")) == CONFIGURATION
    assert str(cluster.extension("flux")) == EXTENSION
    assert cluster.path_arguments == (
        "rg-shop",
        "Microsoft.ContainerService",
        "managedClusters",
        "shop-1",
    )
    with pytest.raises(InvalidId):
        cluster.configuration("../../other")


def test_the_subscription_of_a_url() -> None:
    assert subscription_of(f"{ARM}{AKS.upper()}?api-version=1") == SUBSCRIPTION
    assert subscription_of(f"{ARM}/subscriptions?api-version=1") == ""


@pytest.mark.parametrize(
    "url",
    [
        f"{ARM}/x?y=z%20",
        f"{ARM}:443/x",
        "https://MANAGEMENT.azure.com/x",
    ],
)
def test_urls_on_the_endpoint_are_pinned(url: str) -> None:
    assert pin(url, ARM) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://management.azure.com/x",
        "https://management.azure.com.evil.example/x",
        "https://management.azure.com@evil.example/x",
        "https://user@management.azure.com/x",
        "https://management.azure.com:8443/x",
        "https://evil.example/management.azure.com",
        "https://management.azure.com\\@evil.example/x",
        "https://management.azure.com:nonsense/x",
        "https://management.azure.com/x y",
        "https://management.azure.com/\r\nHost: evil.example",
        "https://ｍanagement.azure.com/x",
        "//management.azure.com/x",
        "/subscriptions",
        "",
        "https://[::1",
    ],
)
def test_urls_elsewhere_are_refused(url: str) -> None:
    assert not is_pinned(url, ARM)
    with pytest.raises(UnsafeUrl):
        pin(url, ARM)
