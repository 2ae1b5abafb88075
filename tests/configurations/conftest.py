"""A cluster in `environment`, and one in `elsewhere`."""

from __future__ import annotations

import pytest

from access.models import Environment
from clusters.models import Cluster
from configurations.models import Configuration
from tests.factories.clusters import ClusterFactory, ExtensionFactory
from tests.factories.configurations import ConfigurationFactory


@pytest.fixture
def cluster(environment: Environment) -> Cluster:
    """The tutorial's Arc cluster, with the extension installed."""
    made: Cluster = ClusterFactory(
        name="flux-demo-arc", resource_group="flux-demo-rg", environment=environment
    )
    ExtensionFactory(cluster=made)
    return made


@pytest.fixture
def bare_cluster(environment: Environment) -> Cluster:
    """A cluster without the extension."""
    made: Cluster = ClusterFactory(name="bare-arc", environment=environment)
    return made


@pytest.fixture
def configuration(cluster: Cluster) -> Configuration:
    """The tutorial's configuration on it, made outside the portal."""
    made: Configuration = ConfigurationFactory(cluster=cluster, name="cluster-config")
    return made
