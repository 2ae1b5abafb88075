"""Connections to Azure, the clusters seen through them and their microsoft.flux extension."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from access.models import Environment, User
from access.querysets import EnvironmentScopedQuerySet


class Connection(models.Model):
    """Cloud + tenant + subscriptions + how to sign in (design.md section 3)."""

    class Cloud(models.TextChoices):
        PUBLIC = "public", _("Azure public")
        CHINA = "china", _("Azure China (21Vianet)")
        US_GOVERNMENT = "us-government", _("Azure US Government")
        CUSTOM = "custom", _("Custom endpoints")

    class SignIn(models.TextChoices):
        DEFAULT = "default", _("Default chain of the host")
        WORKLOAD_IDENTITY = "workload-identity", _("Workload identity")
        MANAGED_IDENTITY = "managed-identity", _("Managed identity")
        SECRET = "secret", _("Client secret")
        CERTIFICATE = "certificate", _("Client certificate")

    class Reads(models.TextChoices):
        GRAPH = "graph", _("Resource Graph")
        LIST = "list", _("List per cluster")

    name = models.CharField(max_length=100, unique=True)
    cloud = models.CharField(max_length=20, choices=Cloud.choices, default=Cloud.PUBLIC)
    arm_endpoint = models.CharField(max_length=300, blank=True)  # only for a custom cloud
    authority = models.CharField(max_length=300, blank=True)  # only for a custom cloud
    ca_file = models.CharField(max_length=400, blank=True)  # PEM bundle on the host
    tenant_id = models.CharField(max_length=64, blank=True)
    subscription_ids = models.JSONField(default=list, blank=True)  # empty: all that are visible
    sign_in = models.CharField(max_length=20, choices=SignIn.choices, default=SignIn.DEFAULT)
    client_id = models.CharField(max_length=64, blank=True)
    # Fernet token (settings.ENCRYPTION_KEYS); write-only: no page, event or export shows it.
    secret_encrypted = models.TextField(blank=True)
    secret_set_at = models.DateTimeField(null=True, blank=True)
    secret_set_by = models.ForeignKey(
        User, models.SET_NULL, null=True, blank=True, related_name="+"
    )  # None with a time: from the environment of the process
    certificate_path = models.CharField(max_length=400, blank=True)
    api_version = models.CharField(max_length=20, default="2025-04-01")
    reads = models.CharField(max_length=10, choices=Reads.choices, default=Reads.GRAPH)
    from_environment = models.BooleanField(default=False)
    enabled = models.BooleanField(default=True)
    # Whether workers may read clusters through their Kubernetes API (clusters/kube).
    kubernetes = models.BooleanField(default=False)

    # The last test and the last fleet reads: what was seen, and what went wrong.
    checks = models.JSONField(default=list, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    test_asked_at = models.DateTimeField(null=True, blank=True)
    test_begun_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=40, blank=True)  # changes.models.Problem value, or ""
    problem_code = models.CharField(max_length=100, blank=True)
    problem_message = models.TextField(blank=True)
    problem_since = models.DateTimeField(null=True, blank=True)
    delta_at = models.DateTimeField(null=True, blank=True)  # the last read that worked
    sweep_at = models.DateTimeField(null=True, blank=True)  # the last sweep that saw everything
    sweep_id = models.BigIntegerField(default=0)  # of the sweep that runs or ran last
    sweep_due_at = models.DateTimeField(null=True, blank=True)  # None: at once
    sweep_configurations = models.IntegerField(default=0)  # seen by the last accepted sweep
    # A sweep saw a fifth less than was known: nothing is gone until a second one says so too.
    drop_suspected = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_testing(self) -> bool:
        """A test was asked for and has not answered yet."""
        asked = self.test_asked_at
        return asked is not None and (self.checked_at is None or self.checked_at < asked)


class Shard(models.Model):
    """The subscriptions of a connection that one worker reads at a time.

    Resource Graph counts queries by principal, so one shard holds many subscriptions; ARM counts
    by subscription, so where clusters are listed one by one each subscription is its own shard.
    """

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="shards")
    position = models.PositiveIntegerField()
    subscription_ids = models.JSONField(default=list)
    next_at = models.DateTimeField()  # moving it on is the claim
    read_at = models.DateTimeField(null=True, blank=True)  # the last read that worked
    sweep_id = models.BigIntegerField(default=0)  # the last sweep that read it whole
    configurations = models.IntegerField(default=0)  # rows of that sweep
    problem = models.CharField(max_length=40, blank=True)  # of the last read
    problem_code = models.CharField(max_length=100, blank=True)
    problem_message = models.TextField(blank=True)

    class Meta:
        ordering = ["connection_id", "position"]
        indexes = [models.Index(fields=["next_at"])]
        constraints = [
            models.UniqueConstraint(fields=["connection", "position"], name="shard_once")
        ]

    def __str__(self) -> str:
        return f"{self.connection} {self.position}"


class EnvironmentRule(models.Model):
    """Clusters whose ARM tag has this value belong to this environment; first match wins."""

    position = models.PositiveIntegerField(default=0)
    tag = models.CharField(max_length=512)
    value = models.CharField(max_length=256)  # "*" matches any value
    environment = models.ForeignKey(Environment, models.CASCADE, related_name="rules")

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tag", "value"], name="environment_rule_once")
        ]

    def __str__(self) -> str:
        return f"{self.tag}={self.value} → {self.environment}"


class Cluster(models.Model):
    """A cluster as Azure reports it; observed state, upserted by sync."""

    class Kind(models.TextChoices):
        MANAGED = "managedClusters", "AKS"
        CONNECTED = "connectedClusters", "Arc"
        PROVISIONED = "provisionedClusters", "AKS Arc"

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="clusters")
    arm_id = models.CharField(max_length=600, unique=True)  # lower case: ARM compares that way
    arm_id_display = models.CharField(max_length=600)  # as ARM wrote it
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=30, choices=Kind.choices)
    subscription_id = models.CharField(max_length=64)
    resource_group = models.CharField(max_length=100)
    region = models.CharField(max_length=60)
    tags = models.JSONField(default=dict)
    identity_kind = models.CharField(max_length=40, blank=True)  # SystemAssigned, ServicePrincipal
    connectivity = models.CharField(max_length=40, blank=True)  # Arc: Connected, Offline, ...
    power_state = models.CharField(max_length=20, blank=True)  # AKS: Running, Stopped
    last_connectivity_at = models.DateTimeField(null=True, blank=True)
    certificate_expires_at = models.DateTimeField(null=True, blank=True)  # Arc: of its identity
    kubernetes_version = models.CharField(max_length=40, blank=True)
    agent_version = models.CharField(max_length=40, blank=True)
    distribution = models.CharField(max_length=60, blank=True)
    node_count = models.IntegerField(null=True, blank=True)
    provisioning_state = models.CharField(max_length=40, blank=True)
    oidc_issuer = models.CharField(max_length=300, blank=True)
    workload_identity = models.BooleanField(default=False)
    environment = models.ForeignKey(
        Environment, models.SET_NULL, null=True, blank=True, related_name="clusters"
    )
    environment_by_hand = models.BooleanField(default=False)
    observed_at = models.DateTimeField()
    observed_via = models.CharField(max_length=20)  # graph, list, get
    sweep_id = models.BigIntegerField(default=0)  # the last full sweep that saw it
    gone_at = models.DateTimeField(null=True, blank=True)
    # Names of Flux v1 configurations, which rule microsoft.flux out, and when they were looked for.
    flux_v1 = models.JSONField(default=list, blank=True)
    flux_v1_at = models.DateTimeField(null=True, blank=True)  # the last look that worked
    flux_v1_due_at = models.DateTimeField(null=True, blank=True, db_index=True)

    objects = EnvironmentScopedQuerySet.as_manager()
    environment_path = "environment"

    class Meta:
        ordering = ["name", "id"]
        indexes = [
            models.Index(fields=["name", "id"]),
            models.Index(fields=["environment", "id"]),
            models.Index(fields=["connection", "sweep_id"]),
        ]

    def __str__(self) -> str:
        return self.name


class Extension(models.Model):
    """The microsoft.flux instance of a cluster, found by its type and never by its name."""

    cluster = models.OneToOneField(Cluster, models.CASCADE, related_name="extension")
    arm_id = models.CharField(max_length=700, unique=True)
    name = models.CharField(max_length=100)
    version = models.CharField(max_length=40, blank=True)
    release_train = models.CharField(max_length=40, blank=True)
    auto_upgrade = models.BooleanField(default=True)
    provisioning_state = models.CharField(max_length=40, blank=True)
    settings = models.JSONField(default=dict)
    error_code = models.CharField(max_length=100, blank=True)
    error_message = models.TextField(blank=True)
    observed = models.JSONField(default=dict)  # the resource as ARM sent it
    observed_at = models.DateTimeField()
    observed_via = models.CharField(max_length=20)
    sweep_id = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} on {self.cluster}"


class IdentityReading(models.Model):
    """What a worker read of user-assigned identities, when somebody asked for it on a page.

    One row for each cluster lists what its connection sees (`identity_id` ""); one for each
    identity that was looked at has its federated credentials. `found` holds plain facts only
    (clusters/identity_readings.py); a credential of this kind has no secret.
    """

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="identity_readings")
    identity_id = models.CharField(max_length=600, blank=True)  # lower-case ARM id
    asked_at = models.DateTimeField()
    begun_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    found = models.JSONField(default=dict)
    problem = models.CharField(max_length=40, blank=True)  # changes.models.Problem value, or ""
    problem_code = models.CharField(max_length=100, blank=True)
    problem_message = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "identity_id"], name="identity_reading_once")
        ]

    def __str__(self) -> str:
        return f"{self.identity_id or 'identities'} for {self.cluster}"

    @property
    def is_running(self) -> bool:
        """It was asked for and has not answered yet."""
        return self.read_at is None or self.read_at < self.asked_at


class ScopeReading(models.Model):
    """What a worker read of a scope of Azure for the prerequisites (clusters/prerequisites/).

    A subscription (providers, regions, the portal's rights) and, where those rights do not do, a
    resource group (rights) are read again from time to time; a cluster only when somebody asks.
    `found` holds plain facts: clusters/prerequisites/readings.py says which.
    """

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="scope_readings")
    scope = models.CharField(max_length=600)  # lower-case ARM id
    subscription_id = models.CharField(max_length=64)  # lower case
    resource_group = models.CharField(max_length=100, blank=True)  # lower case; "": none
    cluster = models.ForeignKey(Cluster, models.CASCADE, null=True, blank=True, related_name="+")
    asked_at = models.DateTimeField(null=True, blank=True)
    begun_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)  # the last read that was answered
    next_at = models.DateTimeField(null=True, blank=True)  # None: only when asked for
    found = models.JSONField(default=dict)
    may_write = models.BooleanField(null=True)  # extensions and fluxConfigurations; None: unknown
    problem = models.CharField(max_length=40, blank=True)  # changes.models.Problem value, or ""
    problem_code = models.CharField(max_length=100, blank=True)
    problem_message = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "scope"], name="scope_reading_once")
        ]
        indexes = [
            models.Index(fields=["next_at"]),
            models.Index(fields=["connection", "subscription_id", "resource_group"]),
        ]

    def __str__(self) -> str:
        return self.scope

    @property
    def is_running(self) -> bool:
        """It was asked for and has not been answered yet."""
        asked = self.asked_at
        return asked is not None and (self.read_at is None or self.read_at < asked)


class StoredKubeconfig(models.Model):
    """The way into one cluster's Kubernetes API that an admin gave; write-only."""

    cluster = models.OneToOneField(Cluster, models.CASCADE, related_name="kubeconfig")
    # Fernet token over JSON of clusters.kube.kubeconfig.Access: no page, event or export shows it.
    access_encrypted = models.TextField()
    server = models.CharField(max_length=300)
    sign_in = models.CharField(max_length=20)  # token, certificate
    set_at = models.DateTimeField()
    set_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return f"kubeconfig of {self.cluster}"


class KubernetesReading(models.Model):
    """What a worker saw of one tab, namespace and page of a cluster's Kubernetes API.

    It is read again and again while somebody has the page open (`watch_until`), and deleted when
    nobody has had for a while (clusters/kube/reading.py).
    """

    cluster = models.ForeignKey(Cluster, models.CASCADE, related_name="kubernetes_readings")
    view = models.CharField(max_length=20)  # a key of clusters.kube.tables.VIEWS
    namespace = models.CharField(max_length=63, blank=True)
    table = models.CharField(max_length=40, blank=True)  # with `after`: this table alone
    after = models.TextField(blank=True)  # the API server's own mark of a page, opaque
    page = models.CharField(max_length=64)  # digest of the four above
    watch_until = models.DateTimeField()
    next_at = models.DateTimeField()  # moving it on is the claim
    read_at = models.DateTimeField(null=True, blank=True)  # the last read that worked
    tables = models.JSONField(default=list)  # clusters.kube.tables.Shown
    problem = models.JSONField(default=dict, blank=True)  # {"code", "message", ...}, or {}
    tried_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cluster", "page"], name="kubernetes_reading_once")
        ]
        indexes = [models.Index(fields=["next_at"])]

    def __str__(self) -> str:
        return f"{self.view} of {self.cluster}"
