"""What is taken of a kubeconfig, and what is refused by name: nothing in it is ever run or read."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import trustme

from clusters.kube.kubeconfig import (
    MOST_BYTES,
    Access,
    KubeconfigRefused,
    SeveralContexts,
    read,
    server_of,
)

TOKEN = "canary-token-91fe"
_CA = trustme.CA()
_CERT = _CA.issue_cert("fluxgate")
CA_PEM = _CA.cert_pem.bytes().decode()
CERT_PEM = _CERT.cert_chain_pems[0].bytes().decode()
KEY_PEM = _CERT.private_key_pem.bytes().decode()


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def config(
    cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None, **top: Any
) -> str:
    server = {"server": "https://api.example.com:6443", "certificate-authority-data": b64(CA_PEM)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": server | (cluster or {})}],
        "users": [{"name": "u", "user": {"token": TOKEN} if user is None else user}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        **top,
    }
    return json.dumps(document)


def test_a_token_and_the_authority_are_taken() -> None:
    access = read(config())
    assert access == Access("https://api.example.com:6443", CA_PEM, token=TOKEN)
    assert TOKEN not in repr(access)


def test_a_client_certificate_is_taken() -> None:
    user = {"client-certificate-data": b64(CERT_PEM), "client-key-data": b64(KEY_PEM)}
    access = read(config(user=user))
    assert (access.sign_in, access.certificate, access.key) == ("certificate", CERT_PEM, KEY_PEM)
    assert "PRIVATE" not in repr(access)


def test_token_and_certificate_together_are_kept_as_aks_gives_them_for_local_accounts() -> None:
    pair = {"client-certificate-data": b64(CERT_PEM), "client-key-data": b64(KEY_PEM)}
    access = read(config(user={**pair, "token": TOKEN}))
    assert (access.token, access.certificate) == (TOKEN, CERT_PEM)


EXEC = {"exec": {"command": "/bin/sh", "args": ["-c", "touch /tmp/owned"]}}
REFUSED = [
    ({}, EXEC, "exec"),
    ({}, {"token": TOKEN, **EXEC}, "exec"),
    ({}, {"auth-provider": {"name": "gcp", "config": {"cmd-path": "/bin/sh"}}}, "auth-provider"),
    ({}, {"tokenFile": "/etc/passwd"}, "tokenFile"),
    ({}, {"token": TOKEN, "tokenFile": "/etc/passwd"}, "tokenFile"),
    ({}, {"client-certificate": "/etc/ssl/x.pem", "client-key-data": b64(KEY_PEM)}, "certificate"),
    ({}, {"client-certificate-data": b64(CERT_PEM), "client-key": "/etc/key"}, "client-key"),
    ({}, {"username": "admin", "password": TOKEN}, "username"),
    ({}, {"token": TOKEN, "as": "system:admin"}, "“as”"),
    ({}, {"token": TOKEN, "as-groups": ["system:masters"]}, "as-groups"),
    ({}, {"token": TOKEN, "as-uid": "0"}, "as-uid"),
    ({"insecure-skip-tls-verify": True}, None, "insecure-skip-tls-verify"),
    ({"certificate-authority": "/etc/passwd"}, None, "certificate-authority"),
    ({"proxy-url": "http://proxy.example.com"}, None, "proxy-url"),
    ({"tls-server-name": "other.example.com"}, None, "tls-server-name"),
    ({"server": "http://api.example.com"}, None, "https://"),
    ({"server": "file:///etc/passwd"}, None, "https://"),
    ({"server": "https://"}, None, "https://"),
    ({"server": "https://api.example.com:99999"}, None, "https://"),
    ({"server": "https://me:pw@api.example.com"}, None, "password"),
    ({"server": "https://api.example.com/?next="}, None, "query"),
    ({"certificate-authority-data": "***"}, None, "base64"),
    ({"certificate-authority-data": b64("no pem")}, None, "no certificate"),
    ({}, {}, "no token"),
    ({}, {"client-certificate-data": b64(CERT_PEM)}, "no token"),
    ({}, {"client-certificate-data": b64(CERT_PEM), "client-key-data": b64("x")}, "private key"),
    ({}, {"token": "a b"}, "signs that no token has"),
    ({}, {"token": "a\r\nHost: evil"}, "signs that no token has"),
]


@pytest.mark.parametrize(("cluster", "user", "named"), REFUSED)
def test_what_is_not_safe_is_refused_by_name_and_quotes_no_credential(
    cluster: dict[str, Any], user: dict[str, Any] | None, named: str
) -> None:
    with pytest.raises(KubeconfigRefused) as refusal:
        read(config(cluster, user))
    assert named in str(refusal.value)
    assert TOKEN not in str(refusal.value)


BOMB = "a: &a [x,x]\nb: &b [*a,*a]\nclusters: [*b]\n"


@pytest.mark.parametrize(
    "text",
    [
        "", "just words", "[]", "clusters: 5", "{", "\x00", "clusters: []", BOMB, "[" * 5000,
        "clusters: !!python/object/apply:os.system ['touch /tmp/owned']",
        "x" * (MOST_BYTES + 1),
        config(contexts=[]), config(contexts=[{"name": "one", "context": {"cluster": "gone"}}]),
        config(users=None), config(contexts="text"), config(users=[5]),
    ],
)  # fmt: skip
def test_what_is_no_kubeconfig_is_refused_in_words(text: str) -> None:
    with pytest.raises(KubeconfigRefused):
        read(text)


def test_bytes_that_are_no_text_are_refused_in_words() -> None:
    with pytest.raises(KubeconfigRefused):
        read(b"\xff\xfe\x00")


def test_of_several_contexts_one_has_to_be_chosen() -> None:
    contexts = [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("one", "two")]
    text = config(contexts=contexts)
    with pytest.raises(SeveralContexts) as several:
        read(text)
    assert several.value.names == ["one", "two"]
    assert read(text, context="two").token == TOKEN
    with pytest.raises(KubeconfigRefused):
        read(text, context="three")


def test_of_azures_answer_for_entra_id_only_server_and_authority_are_looked_at() -> None:
    assert server_of(config(user=EXEC)) == ("https://api.example.com:6443", CA_PEM)
