"""The extension, going offline, commands from other threads, and restarts."""

from __future__ import annotations

import json
import threading

import pytest

from .conftest import Bench, MakeBench, Repository, config_map

ONE = {"app": {"path": "app", "prune": True}}


def controllers(bench: Bench) -> set[str]:
    found = bench.simulation.state.store.of_kind("apps", "Deployment", "flux-system")
    return {item["metadata"]["name"] for item in found}


def test_settings_choose_the_controllers(make_bench: MakeBench) -> None:
    bench = make_bench(settings={"image-automation-controller.enabled": "true"})
    assert "image-automation-controller" in controllers(bench)
    assert "image-reflector-controller" not in controllers(bench)
    settings = {"notification-controller.enabled": "false", "source-controller.log-level": "debug"}
    bench.simulation.update_extension(version="1.24.1", settings=settings)
    assert not {"image-automation-controller", "notification-controller"} & controllers(bench)
    source = bench.object("Deployment", "source-controller", "flux-system", "apps")
    container = source["spec"]["template"]["spec"]["containers"][0]
    assert "--log-level=debug" in container["args"]


def test_a_controller_that_is_off_does_nothing(
    make_bench: MakeBench, repository: Repository
) -> None:
    bench = make_bench(settings={"source-controller.enabled": "false"})
    repository.commit({"app/a.yaml": config_map("a")})
    bench.put(ONE)
    bench.settle()
    assert bench.ready("config") == ("", "", "")
    bench.simulation.update_extension(version="1.24.1", settings={})
    bench.settle()
    assert bench.compliance() == "Compliant"


def test_uninstalling_takes_the_definitions_along(bench: Bench) -> None:
    bench.simulation.uninstall_extension()
    assert bench.simulation.state.store.registry.kind("source.toolkit.fluxcd.io", "Bucket") is None
    assert not controllers(bench)


def test_old_releases_serve_old_versions(make_bench: MakeBench, repository: Repository) -> None:
    bench = make_bench()
    bench.simulation.update_extension(version="1.20.4", settings={})
    old = (
        "apiVersion: source.toolkit.fluxcd.io/v1beta2\nkind: HelmRepository\n"
        "metadata: {name: charts, namespace: team}\n"
        "spec: {interval: 5m, url: 'https://charts.jetstack.io'}\n"
    )
    repository.commit({"app/old.yaml": old})
    bench.put(ONE)
    bench.settle()
    assert bench.compliance() == "Compliant", bench.ready("config-app")


def test_offline_nothing_happens_and_commands_wait(bench: Bench, repository: Repository) -> None:
    repository.commit({"app/a.yaml": config_map("a")})
    bench.simulation.online = False
    bench.put(ONE)
    bench.settle()
    assert bench.simulation.next_due() is None
    assert bench.compliance() == "Pending"
    bench.simulation.online = True
    bench.settle()
    assert bench.compliance() == "Compliant"


def test_without_the_extension_a_configuration_waits(bench: Bench, repository: Repository) -> None:
    bench.simulation.uninstall_extension()
    repository.commit({"app/a.yaml": config_map("a")})
    bench.put(ONE)
    bench.settle()
    assert bench.compliance() == "Pending"
    bench.simulation.install_extension(name="flux", version="1.24.1", settings={})
    bench.settle()
    assert bench.compliance() == "Compliant"


def test_a_restart_goes_on_where_it_was(make_bench: MakeBench, repository: Repository) -> None:
    repository.commit({"app/a.yaml": config_map("a")})
    first = make_bench(name="same")
    first.put(ONE)
    for _ in range(4):
        first.simulation.advance()
    data = json.loads(json.dumps(first.simulation.snapshot()))
    second = make_bench(name="same")
    second.simulation.restore(data)
    assert second.simulation.report("config") == first.simulation.report("config")
    second.settle()
    assert second.compliance() == "Compliant"
    repository.commit({"app/a.yaml": None, "app/b.yaml": config_map("b")})
    second.later(minutes=11)
    assert second.object("ConfigMap", "a") is None
    assert second.object("ConfigMap", "b") is not None


def test_the_same_cluster_is_the_same_in_every_run(
    make_bench: MakeBench, repository: Repository
) -> None:
    repository.commit({"app/a.yaml": config_map("a")})
    found = []
    for _ in range(2):
        bench = make_bench(name="same")
        bench.put(ONE)
        bench.settle()
        found.append(bench.simulation.snapshot())
    assert found[0] == found[1]


def test_commands_do_not_wait_for_work_under_way(
    bench: Bench, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({"app/a.yaml": config_map("a")})
    entered, leave = threading.Event(), threading.Event()
    resolve = bench.sources.resolve

    def slow(url: str) -> str:
        entered.set()
        assert leave.wait(30)
        return resolve(url)

    monkeypatch.setattr(bench.sources, "resolve", slow)
    bench.put(ONE)

    def work() -> None:
        for _ in range(6):
            bench.simulation.advance()

    worker = threading.Thread(target=work)
    worker.start()
    assert entered.wait(30)
    bench.simulation.put_configuration(name="late", properties={"namespace": "team"})
    assert bench.simulation.report("late").compliance_state == "Pending"
    leave.set()
    worker.join(30)
    assert not worker.is_alive()
    bench.settle()
    assert bench.compliance() == "Compliant"


def test_an_unknown_configuration_has_no_report(bench: Bench) -> None:
    with pytest.raises(KeyError):
        bench.simulation.report("absent")
