"""The addresses of the sign-in service, under ``/{tenant}/`` as at login.microsoftonline.com."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit, urlunsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from simulator.clock import Clock
from simulator.identity.pages import REFUSED, choices, form_post, page
from simulator.identity.tokens import LIFETIME_SECONDS, Tokens, challenge_of
from simulator.settings import Application, Identity, Person

_CODE_LIFETIME_SECONDS = 300
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_COMMON_TENANTS = ("common", "organizations")


@dataclass(frozen=True)
class _Grant:
    """What an authorization code or a refresh token stands for."""

    application: Application
    person: Person
    redirect_uri: str
    scope: str
    nonce: str | None
    challenge: str | None
    issued: float


class _OAuthError(Exception):
    def __init__(self, error: str, number: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.error = error
        self.number = number
        self.text = text
        self.status = status

    def response(self) -> JSONResponse:
        return JSONResponse(
            {
                "error": self.error,
                "error_description": f"AADSTS{self.number}: {self.text}",
                "error_codes": [self.number],
            },
            status_code=self.status,
        )


class SignIn:
    """OpenID discovery, keys, tokens and the page on which a person picks who they are."""

    def __init__(self, identity: Identity, tokens: Tokens, clock: Clock) -> None:
        self._identity = identity
        self._tokens = tokens
        self._clock = clock
        self._codes: dict[str, _Grant] = {}
        self._refresh: dict[str, _Grant] = {}

    def routes(self) -> list[Route]:
        version_2 = "/{tenant}/oauth2/v2.0"
        version_1 = "/{tenant}/oauth2"
        return [
            Route("/common/discovery/instance", self.instance),
            Route("/{tenant}/v2.0/.well-known/openid-configuration", self.configuration),
            Route("/{tenant}/.well-known/openid-configuration", self.configuration),
            Route("/{tenant}/discovery/v2.0/keys", self.keys),
            Route("/{tenant}/discovery/keys", self.keys),
            Route(f"{version_2}/authorize", self.authorize, methods=["GET", "POST"]),
            Route(f"{version_1}/authorize", self.authorize, methods=["GET", "POST"]),
            Route(f"{version_2}/token", self.token, methods=["POST"]),
            Route(f"{version_1}/token", self.token, methods=["POST"]),
            Route(f"{version_2}/logout", self.logout, methods=["GET", "POST"]),
            Route("/oidc/userinfo", self.user_info, methods=["GET", "POST"]),
        ]

    # -- discovery

    async def instance(self, request: Request) -> Response:
        base = _base(request)
        host = urlsplit(base).netloc
        return JSONResponse(
            {
                "tenant_discovery_endpoint": (
                    f"{base}/{self._identity.tenant_id}/v2.0/.well-known/openid-configuration"
                ),
                "api-version": "1.1",
                "metadata": [
                    {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
                ],
            }
        )

    async def configuration(self, request: Request) -> Response:
        try:
            self._require_tenant(request)
        except _OAuthError as error:
            return error.response()
        base, tenant = _base(request), self._identity.tenant_id
        version = "/v2.0" if "/v2.0/" in request.url.path else ""
        oauth = f"{base}/{tenant}/oauth2{version}"
        return JSONResponse(
            {
                "issuer": f"{base}/{tenant}/v2.0",
                "authorization_endpoint": f"{oauth}/authorize",
                "token_endpoint": f"{oauth}/token",
                "end_session_endpoint": f"{base}/{tenant}/oauth2/v2.0/logout",
                "jwks_uri": f"{base}/{tenant}/discovery{version}/keys",
                "userinfo_endpoint": f"{base}/oidc/userinfo",
                "response_types_supported": ["code"],
                "response_modes_supported": ["query", "form_post"],
                "grant_types_supported": [
                    "authorization_code",
                    "client_credentials",
                    "refresh_token",
                ],
                "code_challenge_methods_supported": ["S256"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "client_secret_basic",
                    "private_key_jwt",
                ],
                "claims_supported": [
                    "sub",
                    "iss",
                    "aud",
                    "exp",
                    "iat",
                    "tid",
                    "oid",
                    "name",
                    "preferred_username",
                    "email",
                    "nonce",
                ],
            }
        )

    async def keys(self, request: Request) -> Response:
        return JSONResponse(self._tokens.key_set)

    # -- people

    async def authorize(self, request: Request) -> Response:
        """Show who can sign in; a chosen person goes back to the application with a code."""
        values = dict(request.query_params)
        if request.method == "POST":
            values |= _form(await request.body())
        application = self._identity.application(values.get("client_id", ""))
        redirect_uri = values.get("redirect_uri", "")
        if application is None or not _is_local(redirect_uri):
            return HTMLResponse(page("Sign-in refused", REFUSED), status_code=400)
        chosen = values.get("person") or values.get("login_hint", "")
        person = self._identity.person(chosen) if chosen else None
        if person is None:
            return HTMLResponse(page("Pick an account", choices(self._identity.people, values)))
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Grant(
            application=application,
            person=person,
            redirect_uri=redirect_uri,
            scope=values.get("scope", "openid"),
            nonce=values.get("nonce"),
            challenge=values.get("code_challenge"),
            issued=self._clock.now().timestamp(),
        )
        result = {"code": code, "session_state": secrets.token_hex(8)}
        if "state" in values:
            result["state"] = values["state"]
        if values.get("response_mode") == "form_post":
            return HTMLResponse(page("Signed in", form_post(redirect_uri, result)))
        return RedirectResponse(_with_query(redirect_uri, result), status_code=302)

    async def logout(self, request: Request) -> Response:
        target = request.query_params.get("post_logout_redirect_uri", "")
        if _is_local(target):
            return RedirectResponse(target, status_code=302)
        return HTMLResponse(page("Signed out", "<p>You are signed out.</p>"))

    async def user_info(self, request: Request) -> Response:
        try:
            claims = self._tokens.check(request.headers.get("authorization"))
        except Exception:
            return JSONResponse({"error": "invalid_token"}, status_code=401)
        person = self._identity.person(str(claims["oid"]))
        if person is None:
            return JSONResponse({"error": "invalid_token"}, status_code=401)
        return JSONResponse(
            {
                "sub": person.object_id,
                "oid": person.object_id,
                "name": person.name,
                "given_name": person.given_name,
                "family_name": person.name.split()[-1],
                "email": person.user_name,
                "preferred_username": person.user_name,
            }
        )

    # -- tokens

    async def token(self, request: Request) -> Response:
        form = _form(await request.body())
        try:
            self._require_tenant(request)
            match form.get("grant_type"):
                case "client_credentials":
                    return self._for_application(request, form)
                case "authorization_code":
                    return self._for_code(request, form)
                case "refresh_token":
                    return self._for_refresh(request, form)
                case _:
                    raise _OAuthError(
                        "unsupported_grant_type", 70003, "The grant type is not supported."
                    )
        except _OAuthError as error:
            return error.response()

    def _for_application(self, request: Request, form: dict[str, str]) -> Response:
        application = self._authenticate(request, form)
        token = self._tokens.access_token(
            issuer=self._issuer(request), audience=_audience(form), application=application
        )
        return JSONResponse(_token_body(token, form))

    def _for_code(self, request: Request, form: dict[str, str]) -> Response:
        grant = self._codes.pop(form.get("code", ""), None)
        now = self._clock.now().timestamp()
        if grant is None or now - grant.issued > _CODE_LIFETIME_SECONDS:
            raise _OAuthError("invalid_grant", 70008, "The authorization code has expired.")
        if grant.redirect_uri != form.get("redirect_uri", ""):
            raise _OAuthError("invalid_grant", 500112, "The reply address does not match.")
        if grant.challenge is not None:
            if challenge_of(form.get("code_verifier", "")) != grant.challenge:
                raise _OAuthError("invalid_grant", 501481, "The Code_Verifier does not match.")
        elif "client_secret" not in form and "authorization" not in request.headers:
            raise _OAuthError("invalid_client", 7000218, "client_secret is required.", 401)
        if "client_secret" in form or "authorization" in request.headers:
            self._authenticate(request, form)
        return self._person_response(request, form, grant)

    def _for_refresh(self, request: Request, form: dict[str, str]) -> Response:
        grant = self._refresh.get(form.get("refresh_token", ""))
        if grant is None:
            raise _OAuthError("invalid_grant", 70000, "The refresh token is not valid.")
        return self._person_response(request, form, grant)

    def _person_response(self, request: Request, form: dict[str, str], grant: _Grant) -> Response:
        issuer = self._issuer(request)
        scope = form.get("scope") or grant.scope
        access = self._tokens.access_token(
            issuer=issuer,
            audience=_audience({"scope": scope}),
            application=grant.application,
            person=grant.person,
        )
        refresh = secrets.token_urlsafe(32)
        self._refresh[refresh] = grant
        body = _token_body(access, form) | {
            "scope": scope,
            "refresh_token": refresh,
            "id_token": self._tokens.id_token(
                issuer=issuer,
                application=grant.application,
                person=grant.person,
                nonce=grant.nonce,
            ),
        }
        return JSONResponse(body)

    def _authenticate(self, request: Request, form: dict[str, str]) -> Application:
        client_id, secret = form.get("client_id", ""), form.get("client_secret")
        header = request.headers.get("authorization", "")
        if header.lower().startswith("basic "):
            client_id, secret = _basic(header)
        application = self._identity.application(client_id)
        if application is None:
            raise _OAuthError(
                "unauthorized_client",
                700016,
                f"Application with identifier '{client_id}' was not found in the directory.",
            )
        if form.get("client_assertion_type") == _ASSERTION_TYPE:
            self._check_assertion(application, form.get("client_assertion", ""))
        elif secret is None or not secrets.compare_digest(secret, application.secret):
            raise _OAuthError(
                "invalid_client",
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is "
                "the client secret value.",
                401,
            )
        return application

    def _check_assertion(self, application: Application, assertion: str) -> None:
        """Accept an assertion that is signed by the certificate it carries (``x5c``).

        Entra ID knows the certificate beforehand. Here it counts when its common name is the
        application's client id, so that no certificate has to be registered first.
        """
        refused = _OAuthError("invalid_client", 700027, "The assertion is not valid.", 401)
        try:
            chain = jwt.get_unverified_header(assertion)["x5c"]
            first = chain[0] if isinstance(chain, list) else chain
            certificate = x509.load_der_x509_certificate(_decode_base64(first))
            key = certificate.public_key()
            if not isinstance(key, rsa.RSAPublicKey):
                raise refused
            claims = jwt.decode(
                assertion,
                key,
                algorithms=["RS256", "PS256"],
                options={"verify_aud": False},
            )
        except (jwt.InvalidTokenError, KeyError, ValueError) as error:
            raise refused from error
        names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        known = bool(names) and names[0].value == application.client_id
        if claims.get("sub") != application.client_id or not known:
            raise refused

    def _issuer(self, request: Request) -> str:
        return f"{_base(request)}/{self._identity.tenant_id}/v2.0"

    def _require_tenant(self, request: Request) -> None:
        tenant = request.path_params["tenant"].lower()
        if tenant not in (self._identity.tenant_id, *_COMMON_TENANTS):
            raise _OAuthError("invalid_request", 90002, f"Tenant '{tenant}' not found.")


def _audience(form: dict[str, str]) -> str:
    """Return what the token is for: the v1 ``resource`` or the v2 scope without its last part."""
    if "resource" in form:
        return form["resource"]
    for scope in form.get("scope", "").split():
        if "/" in scope:
            return scope.rsplit("/", 1)[0]
    return "00000003-0000-0000-c000-000000000000"


def _token_body(token: str, form: dict[str, str]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "token_type": "Bearer",
        "expires_in": LIFETIME_SECONDS,
        "ext_expires_in": LIFETIME_SECONDS,
        "access_token": token,
    }
    if "resource" in form:
        claims = jwt.decode(token, options={"verify_signature": False})
        body |= {"expires_on": str(claims["exp"]), "resource": form["resource"]}
    return body


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _form(body: bytes) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(body.decode()).items()}


def _basic(header: str) -> tuple[str, str]:
    user, _, password = _decode_base64(header.split(" ", 1)[1]).decode().partition(":")
    return unquote(user), unquote(password)


def _decode_base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _is_local(uri: str) -> bool:
    host = urlsplit(uri).hostname
    return host in ("localhost", "127.0.0.1", "::1", "testserver")


def _with_query(uri: str, values: dict[str, str]) -> str:
    parts = urlsplit(uri)
    query = "&".join(filter(None, [parts.query, urlencode(values)]))
    return urlunsplit(parts._replace(query=query))
