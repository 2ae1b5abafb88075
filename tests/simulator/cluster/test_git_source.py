"""Git sources: which commit is taken, and what is said when none is."""

from __future__ import annotations

import shutil

import pytest

from .conftest import URL, Bench, MakeBench, Repository, config_map

PREFIX = "failed to checkout and determine revision: "


@pytest.fixture
def commit(repository: Repository) -> str:
    first = repository.commit({"app/settings.yaml": config_map()})
    repository.git("tag", "v1.2.0")
    repository.git("tag", "--annotate", "v1.4.0", "--message", "Release")
    return first


def source_of(bench: Bench, **git: object) -> tuple[str, str, str]:
    bench.put({"app": {"path": "./app"}}, git=git)
    bench.settle()
    return bench.ready("config")


@pytest.mark.parametrize(
    ("ref", "prefix"),
    [
        ({"branch": "main"}, "main@sha1:"),
        ({"tag": "v1.4.0"}, "v1.4.0@sha1:"),
        ({"semver": ">=1.0.0 <1.3.0"}, "v1.2.0@sha1:"),
    ],
)
def test_a_reference_becomes_a_revision(
    bench: Bench, commit: str, ref: dict[str, str], prefix: str
) -> None:
    assert source_of(bench, repositoryRef=ref) == (
        "True",
        "Succeeded",
        f"stored artifact for revision '{prefix}{commit}'",
    )
    assert bench.simulation.report("config").source_synced_commit_id == f"{prefix}{commit}"
    assert bench.compliance() == "Compliant"


def test_a_commit_is_taken_although_the_branch_went_on(
    bench: Bench, repository: Repository, commit: str
) -> None:
    repository.commit({"app/other.yaml": config_map("other")})
    source_of(bench, repositoryRef={"commit": commit})
    assert bench.simulation.report("config").source_synced_commit_id == f"sha1:{commit}"
    assert bench.object("ConfigMap", "other") is None
    assert bench.object("ConfigMap", "settings") is not None


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        (
            {"branch": "absent"},
            f"unable to clone '{URL}': couldn't find remote ref \"refs/heads/absent\"",
        ),
        ({"tag": "v9"}, f"unable to clone '{URL}': couldn't find remote ref \"refs/tags/v9\""),
        ({"semver": ">=7.0.0"}, "no match found for semver: >=7.0.0"),
        ({"semver": "rubbish"}, "semver parse error: improper constraint: rubbish"),
        (
            {"commit": "a" * 40},
            f"unable to resolve commit object for '{'a' * 40}': object not found",
        ),
        ({}, f"unable to clone '{URL}': couldn't find remote ref \"refs/heads/master\""),
    ],
)
@pytest.mark.usefixtures("commit")
def test_a_reference_that_is_not_there(bench: Bench, ref: dict[str, str], message: str) -> None:
    found = source_of(bench, repositoryRef=ref)
    assert found == ("False", "GitOperationFailed", PREFIX + message)
    assert bench.compliance() == "Non-Compliant"
    assert bench.ready("config-app")[1:] == (
        "ArtifactFailed",
        "Source artifact not found, retrying in 30s",
    )


def test_an_empty_repository(bench: Bench, repository: Repository) -> None:
    assert repository.path.is_dir()
    assert source_of(bench) == ("False", "EmptyGitRepository", "git repository is empty")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (URL, f"unable to clone '{URL}': repository not found: Not Found"),
        (
            "https://github.com/team/absent",
            (
                "unable to clone 'https://github.com/team/absent': authentication required: "
                "Repository not found."
            ),
        ),
        (
            "git@git.example.com:team/absent",
            (
                "unable to clone: repository not found: git repository: "
                "'ssh://git@git.example.com/team/absent'"
            ),
        ),
    ],
)
def test_a_repository_that_is_not_there(bench: Bench, url: str, message: str) -> None:
    flux_url = url.replace("git@git.example.com:", "ssh://git@git.example.com/")
    bench.sources.paths[flux_url] = bench.simulation.state.workspace.root / "nowhere"
    found = source_of(bench, url=url)
    assert found == ("False", "GitOperationFailed", PREFIX + message)


def test_a_host_that_does_not_resolve(bench: Bench) -> None:
    url = "https://fluxgate-test.invalid/team/fleet"
    found = source_of(bench, url=url)
    get = f'Get "{url}/info/refs?service=git-upload-pack"'
    lookup = "dial tcp: lookup fluxgate-test.invalid on 10.0.0.10:53: no such host"
    assert found[2] == f"{PREFIX}unable to clone '{url}': {get}: {lookup}"


def test_a_source_that_breaks_keeps_what_it_brought_and_mends(
    bench: Bench, repository: Repository, commit: str
) -> None:
    source_of(bench)
    away = repository.path.with_name("away")
    repository.path.rename(away)
    bench.later(minutes=11)
    assert bench.ready("config") == (
        "False",
        "GitOperationFailed",
        f"{PREFIX}unable to list remote for '{URL}': repository not found: Not Found",
    )
    assert bench.compliance() == "Non-Compliant"
    assert bench.ready("config-app")[0] == "True"
    assert bench.simulation.report("config").source_synced_commit_id == f"main@sha1:{commit}"

    shutil.move(away, repository.path)
    bench.later(minutes=16)
    assert bench.ready("config")[0] == "True"
    assert bench.compliance() == "Compliant"


def test_a_new_commit_is_seen_at_the_next_interval(
    bench: Bench, repository: Repository, commit: str
) -> None:
    source_of(bench)
    second = repository.commit({"app/settings.yaml": config_map(colour="green")})
    bench.later(minutes=5)
    assert bench.simulation.report("config").source_synced_commit_id == f"main@sha1:{commit}"
    bench.later(minutes=6)
    assert bench.simulation.report("config").source_synced_commit_id == f"main@sha1:{second}"
    assert bench.object("ConfigMap", "settings")["data"] == {"colour": "green"}


def test_ssh_without_a_key_gets_a_pair(bench: Bench, repository: Repository, commit: str) -> None:
    bench.sources.paths["ssh://git@git.example.com/team/fleet"] = repository.path
    assert source_of(bench, url="git@git.example.com:team/fleet")[0] == "True"
    key = bench.simulation.report("config").repository_public_key
    assert key.startswith("ssh-rsa AAAA")
    bench.put({}, git={"url": "git@git.example.com:team/fleet"})
    bench.settle()
    assert bench.simulation.report("config").repository_public_key == key


def test_a_local_secret_that_is_not_there(bench: Bench, commit: str) -> None:
    found = source_of(bench, localAuthRef="credentials")
    text = "failed to get secret 'team/credentials': secrets \"credentials\" not found"
    assert found == ("False", "AuthenticationFailed", text)


def test_clusters_share_clones(make_bench: MakeBench, repository: Repository, commit: str) -> None:
    first, second = make_bench(name="one"), make_bench(name="two")
    for bench in (first, second):
        source_of(bench)
        assert bench.compliance() == "Compliant"
    root = first.simulation.state.workspace.root
    assert len(list((root / "git").iterdir())) == 1
    assert len(list((root / "artifacts").iterdir())) == 1


def test_the_event_of_a_new_artifact_names_the_commit(bench: Bench, repository: Repository) -> None:
    repository.commit({"app/settings.yaml": config_map()})
    subject = "Describe at length what the settings of this application are for"
    repository.git("commit", "--quiet", "--amend", "--message", subject)
    source_of(bench)
    messages = [event["message"] for event in bench.simulation.state.events]
    assert f"stored artifact for commit '{subject[:50]}...'" in messages
