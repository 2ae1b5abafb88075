from __future__ import annotations

from django.urls import path

from clusters import (
    connection_views,
    extension_urls,
    kubernetes_views,
    prerequisite_urls,
    rule_views,
    views,
)

app_name = "clusters"
urlpatterns = [
    path("", views.cluster_list, name="list"),
    path("search/", views.cluster_search, name="search"),
    path("<int:pk>/", views.cluster_detail, name="detail"),
    *extension_urls.urlpatterns,
    *prerequisite_urls.urlpatterns,
    path("<int:pk>/kubernetes/", kubernetes_views.kubernetes, name="kubernetes"),
    path("<int:pk>/kubernetes/kubeconfig/", kubernetes_views.kubeconfig, name="kubeconfig"),
    path(
        "<int:pk>/kubernetes/kubeconfig/remove/",
        kubernetes_views.kubeconfig_remove,
        name="kubeconfig_remove",
    ),
    path("<int:pk>/kubernetes/<str:view>/", kubernetes_views.kubernetes, name="kubernetes_view"),
    path(
        "<int:pk>/kubernetes/<str:view>/watch/",
        kubernetes_views.kubernetes_watch,
        name="kubernetes_watch",
    ),
    path("<int:pk>/environment/", views.cluster_environment, name="environment"),
    path("environments/", rule_views.rules, name="rules"),
    path("environments/add/", rule_views.rule_add, name="rule_add"),
    path("environments/<int:position>/up/", rule_views.rule_move, name="rule_move"),
    path("environments/<int:position>/remove/", rule_views.rule_remove, name="rule_remove"),
    path("connections/", connection_views.connections, name="connections"),
    path("connections/add/", connection_views.connection_add, name="connection_add"),
    path("connections/<int:pk>/", connection_views.connection, name="connection"),
    path("connections/<int:pk>/edit/", connection_views.connection_edit, name="connection_edit"),
    path("connections/<int:pk>/test/", connection_views.connection_test, name="connection_test"),
    path("connections/<int:pk>/sync/", connection_views.connection_sync, name="connection_sync"),
    path(
        "connections/<int:pk>/switch/", connection_views.connection_switch, name="connection_switch"
    ),
    path(
        "connections/<int:pk>/kubernetes/",
        kubernetes_views.connection_kubernetes,
        name="connection_kubernetes",
    ),
    path(
        "connections/<int:pk>/remove/", connection_views.connection_remove, name="connection_remove"
    ),
    path(
        "connections/<int:pk>/register/<uuid:subscription_id>/<str:namespace>/",
        connection_views.provider_register,
        name="connection_register",
    ),
]
