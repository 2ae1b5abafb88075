"""A read-only Kubernetes API over a simulated cluster, enough for `kubectl get`."""

from __future__ import annotations

from .app import kubernetes_app

__all__ = ["kubernetes_app"]
