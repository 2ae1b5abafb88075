"""Each way in which a source could harm the machine that checks it, and that it does not."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from configurations.source_checks.addresses import host_of, is_public, place_of, resolved
from configurations.source_checks.checking import checked
from configurations.source_checks.problems import CheckRefused
from tests.configurations.source_checks.conftest import DEPLOYMENT, Repository, Server, git

NAMES = "resources: [web.yaml]\n"


def check(url: str, paths: dict[str, str] | None = None, **reference: str) -> dict[str, Any]:
    """A check of this URL; one kustomization over the root when no paths are given."""
    return checked(
        {
            "kind": "GitRepository",
            "url": url,
            "reference": reference or {"branch": "main"},
            "signs_in": False,
            "paths": paths if paths is not None else {"all": "./"},
        }
    )


def refused(report: dict[str, Any], name: str = "all") -> str:
    """Why the kustomization of this name was not built ("" where it was)."""
    result = next(it for it in report["results"] if it["name"] == name)
    return result["problem"]["code"] if result["problem"] else ""


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Have every name resolve to these addresses, one after the other; returns who was asked."""
    asked: list[str] = []

    def answer(host: str, port: int, **_kind: object) -> list[Any]:
        asked.append(host)
        address = answers[min(len(asked), len(answers)) - 1]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


# --- Where it goes --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("file:///etc", "protocol"),
        ("/etc", "protocol"),
        ("http://github.com/a/b", "protocol"),
        ("git://github.com/a/b", "protocol"),
        ("ssh://git@github.com/a/b", "protocol"),
        ("git@github.com:a/b", "protocol"),
        ("ext::sh -c whoami", "protocol"),
        ("--upload-pack=whoami", "protocol"),
        ("https://user:pass@github.com/a/b", "url"),
        ("https://github.com@evil.example/a", "url"),
        ("https://github.com\\@evil.example/a", "url"),
        ("https://github.com/a b", "url"),
        ("https://github.com/a?x=y", "url"),
        ("https://github.com:99999/a", "url"),
        ("https://evil.example/a", "host"),
        ("https://github.com.evil.example/a", "host"),
        ("https://github.com:8443/a", "host"),
        ("https://127.0.0.1/a", "host"),
        ("https://[::1]/a", "host"),
        ("https://169.254.169.254/metadata", "host"),
    ],
)
def test_only_https_to_listed_hosts_is_asked(checks: dict[str, Any], url: str, code: str) -> None:
    assert check(url)["problem"]["code"] == code
    with pytest.raises(CheckRefused):
        host_of(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.5", "172.16.1.1", "192.168.1.1", "100.64.0.1", "0.0.0.0",
        "169.254.169.254", "168.63.129.16", "224.0.0.1", "255.255.255.255", "192.0.0.1",
        "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1",
        "::ffff:10.0.0.5", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
        "2001:db8::1", "2001:0:53aa:64c::1",
    ],
)  # fmt: skip
def test_a_name_that_leads_inside_is_refused(
    checks: dict[str, Any], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolve_to(monkeypatch, address)
    assert check("https://github.com/a/b")["problem"]["code"] == "private_address"


@pytest.mark.parametrize("address", ["140.82.121.3", "2606:50c0:8000::153", "64:ff9b::8c52:7903"])
def test_a_public_address_is_asked_and_pinned(
    checks: dict[str, Any], monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolve_to(monkeypatch, address)
    shown = f"[{address}]" if ":" in address else address
    assert is_public(resolved("github.com", 443)[0])
    assert place_of("https://github.com/a/b").pins == (f"github.com:443:{shown}",)


def test_a_name_that_is_partly_inside_is_refused(
    checks: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [(socket.AF_INET, 1, 6, "", (it, 443)) for it in ("140.82.121.3", "10.0.0.5")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: both)
    with pytest.raises(CheckRefused, match="inside a network"):
        place_of("https://github.com/a/b")


def serve(server: Server, repository: Repository, checks: dict[str, Any]) -> str:
    """The repository on the TLS server, at a host that may be inside; returns its URL."""
    git(server.root, "clone", "--quiet", "--bare", str(repository.folder), "it.git")
    host = f"git.example:{server.port}"
    checks["hosts"], checks["private_hosts"] = [host], [host]
    return f"https://{host}/it.git"


def test_git_asks_the_pinned_address_and_no_resolver(
    server: Server, repository: Repository, checks: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name resolves for us, once, and for nobody else: a second answer would not be heard."""
    repository.write({"web.yaml": DEPLOYMENT})
    commit = repository.commit()
    url = serve(server, repository, checks)
    asked = resolve_to(monkeypatch, "127.0.0.1", "203.0.113.9")
    report = check(url)
    assert report["problem"] is None, report
    assert report["commit"] == commit
    assert asked == ["git.example"]
    assert any("git-upload-pack" in path for path in server.asked)


def test_a_redirect_is_not_followed(
    server: Server, repository: Repository, checks: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit()
    url = serve(server, repository, checks)

    def elsewhere(request: Any) -> bool:
        if "elsewhere" in request.path:
            return False
        request.send_response(302)
        request.send_header("Location", request.path.replace("/it.git", "/elsewhere.git"))
        request.send_header("Content-Length", "0")
        request.end_headers()
        return True

    server.answer = elsewhere
    resolve_to(monkeypatch, "127.0.0.1")
    assert check(url)["problem"]["code"] == "redirect"
    assert [path for path in server.asked if "elsewhere" in path] == []


def test_a_server_that_asks_for_a_sign_in_gets_none(
    server: Server, repository: Repository, checks: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit()
    url = serve(server, repository, checks)
    sent: list[str | None] = []

    def closed(request: Any) -> bool:
        sent.append(request.headers.get("Authorization"))
        request.send_response(401)
        request.send_header("WWW-Authenticate", 'Basic realm="x"')
        request.send_header("Content-Length", "0")
        request.end_headers()
        return True

    server.answer = closed
    resolve_to(monkeypatch, "127.0.0.1")
    assert check(url)["problem"]["code"] == "sign_in"
    assert set(sent) == {None}


def test_an_untrusted_certificate_is_refused(
    server: Server, repository: Repository, checks: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit()
    url = serve(server, repository, checks)
    checks["ca_file"] = ""
    resolve_to(monkeypatch, "127.0.0.1")
    assert check(url)["problem"]["code"] == "certificate"
    assert server.asked == []


# --- How long and how big -------------------------------------------------------------------
def test_a_server_that_never_answers_is_left(
    server: Server, repository: Repository, checks: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit()
    url = serve(server, repository, checks)

    left = threading.Event()

    def hang(_request: Any) -> bool:
        left.wait(30)
        return True

    server.answer = hang
    checks["seconds"] = 2.0
    resolve_to(monkeypatch, "127.0.0.1")
    before = children()
    assert check(url)["problem"]["code"] == "timeout"
    left.set()
    assert children() <= before, "nothing that was started is left"


def children() -> set[str]:
    """Processes of Git that talk to a server."""
    found = set()
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes()
        except OSError:
            continue
        if b"git.example" in words:
            found.add(place.parent.name)
    return found


def test_a_huge_repository_is_not_fetched(repository: Repository, checks: dict[str, Any]) -> None:
    (repository.folder / "big").write_bytes(os.urandom(3 * 1024 * 1024))
    repository.commit()
    checks["megabytes"] = 1
    assert check(repository.url)["problem"]["code"] == "too_large"


def test_what_is_small_only_while_packed_is_not_unpacked(
    repository: Repository, checks: dict[str, Any]
) -> None:
    (repository.folder / "zeros").write_bytes(bytes(30 * 1024 * 1024))
    repository.commit()
    assert check(repository.url)["problem"]["code"] == "too_large"


# --- What is in it --------------------------------------------------------------------------
def test_a_symbolic_link_leads_nowhere(repository: Repository, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text(DEPLOYMENT.replace("web", "stolen"))
    repository.write({"a/kustomization.yaml": NAMES, "b/web.yaml": DEPLOYMENT})
    (repository.folder / "a/web.yaml").symlink_to(secret)
    (repository.folder / "c").symlink_to(tmp_path)
    repository.commit()
    report = check(repository.url, {"a": "a", "b": "b", "c": "c"})
    assert refused(report, "a") == "build"
    assert refused(report, "b") == ""
    assert refused(report, "c") == "path_missing"
    assert report["links"] == 2
    assert "stolen" not in str(report)


@pytest.mark.parametrize(
    "text",
    [
        "resources: ['https://raw.githubusercontent.com/a/b/main/x.yaml']",
        "resources: ['http://169.254.169.254/metadata']",
        "resources: ['github.com/a/b//base?ref=main']",
        "bases: ['git@github.com:a/b']",
        "components: ['https://github.com/a/b.git']",
        "resources: ['file:///etc']",
        "patches: [{path: 'https://evil.example/patch.yaml'}]",
        "patchesJson6902: [{path: 'http://evil.example/p', target: {kind: A, name: a}}]",
        "patchesStrategicMerge: ['http://evil.example/p']",
        "replacements: [{path: 'http://evil.example/r'}]",
        "openapi: {path: 'http://evil.example/o'}",
        "crds: ['http://evil.example/crd']",
        "configurations: ['http://evil.example/c']",
        "configMapGenerator: [{name: a, files: ['k=http://evil.example/f']}]",
        "secretGenerator: [{name: a, envs: ['http://evil.example/e']}]",
    ],
)
def test_nothing_remote_is_fetched_by_a_build(repository: Repository, text: str) -> None:
    repository.write({"deep/kustomization.yaml": text, "kustomization.yaml": "resources: [deep]"})
    repository.commit()
    assert refused(check(repository.url)) == "remote_base"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("resources: [/etc]", "escape"),
        ("resources: ['../../..']", "escape"),
        ("configMapGenerator: [{name: a, files: ['../../../etc/passwd']}]", "escape"),
        ("secretGenerator: [{name: a, envs: ['/etc/passwd']}]", "escape"),
        ("helmCharts: [{name: a, repo: 'https://evil.example'}]", "helm"),
        ("helmGlobals: {chartHome: /}", "helm"),
        ("transformers: [plugin.yaml]", "plugin"),
        ("generators:\n- |\n  apiVersion: builtin\n  kind: HelmChartInflationGenerator", "plugin"),
    ],
)
def test_a_build_neither_leaves_the_source_nor_runs_anything(
    repository: Repository, text: str, code: str
) -> None:
    plugin = (
        "apiVersion: v1\nkind: Run\nmetadata:\n  name: a\n  annotations:\n"
        "    config.kubernetes.io/function: |\n      exec: {path: /bin/true}\n"
    )
    repository.write({"kustomization.yaml": text, "plugin.yaml": plugin})
    repository.commit()
    assert refused(check(repository.url)) == code


def test_hooks_filters_and_submodules_of_the_source_do_nothing(
    repository: Repository, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    other = Repository(tmp_path / "other")
    other.write({"x.yaml": DEPLOYMENT})
    other.commit()
    allowed = ("-c", "protocol.file.allow=always")
    git(repository.folder, *allowed, "submodule", "--quiet", "add", str(other.folder), "sub")
    git(repository.folder, "config", "filter.evil.smudge", f"touch {ran}")
    hook = repository.folder / ".git/hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(0o755)
    repository.write({".gitattributes": "* filter=evil\n", "web.yaml": DEPLOYMENT})
    repository.commit()
    report = check(repository.url)
    assert report["problem"] is None, report
    assert report["submodules"] == 1
    assert [it["name"] for it in report["results"][0]["objects"]] == ["web"]
    assert not ran.exists()


@pytest.mark.parametrize(
    "name", ["--upload-pack=touch /tmp/x", "-x", "a:b", "+a", "a b", "../x", "@{1}", "a\nb", "a^"]
)
def test_a_reference_is_never_an_option(repository: Repository, name: str, tmp_path: Path) -> None:
    repository.commit()
    for kind in ("branch", "tag", "commit"):
        report = check(repository.url, **{kind: name})
        assert report["problem"]["code"] in {"reference", "reference_missing"}


def test_only_names_of_objects_are_kept(repository: Repository) -> None:
    secret = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: canary-123}\n"
    )
    repository.write({"secret.yaml": secret})
    repository.commit()
    report = check(repository.url)
    assert report["results"][0]["objects"] == [{"kind": "Secret", "namespace": "", "name": "s"}]
    assert "canary-123" not in str(report)
