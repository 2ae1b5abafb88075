from __future__ import annotations

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        from django.http import HttpRequest

        from access.models import User
        from access.rights import rights_of
        from live import pages, services
        from portal.context import SHELL_SCOPES

        def fingerprint(request: HttpRequest) -> str:
            user = request.user
            return rights_of(user).fingerprint if isinstance(user, User) else ""

        pages.rights_fingerprint = fingerprint
        services.everywhere = SHELL_SCOPES
