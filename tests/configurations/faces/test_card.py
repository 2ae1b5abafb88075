"""The card that shows a specification in the words of other tools."""

from __future__ import annotations

import copy
import re

import pytest
from django.template.loader import render_to_string
from django.test import RequestFactory

from configurations.faces import Place, faces_context, faces_of
from configurations.faces.places import place_of
from configurations.specification import Specification
from tests.configurations.faces.strategies import TUTORIAL, place
from tests.factories.clusters import ClusterFactory


def card(code: str = "", wire: dict | None = None, where: Place | None = None, **extra) -> str:
    context = faces_context(Specification.from_wire(wire or TUTORIAL), where or place(), code)
    request = RequestFactory().get("/drafts/7/source/", {"face": code, "keep": "1"})
    return render_to_string("partials/_faces.html", {**context, **extra}, request)


def test_one_face_is_open_and_every_other_is_a_link_that_needs_no_script():
    html = card("bicep")
    assert html.count("<pre") == 1
    assert "scope: cluster" in html
    assert re.findall(r'id="faces-(\w+)"[^>]*aria-current="true"', html) == ["bicep"]
    hrefs = re.findall(r'<a [^>]*?href="([^"]+)"', html)
    assert hrefs == [
        f"?face={code}&amp;keep=1#faces"
        for code in ("az", "bicep", "azurerm", "azapi", "arm", "flux", "rest")
    ]
    assert 'hx-get="/drafts/7/source/?face=arm&amp;keep=1"' in html


def test_the_copy_button_takes_the_text_that_is_shown():
    html = card("flux")
    assert '<button class="fg-copy" type="button" hidden data-copy-from="#faces-text"' in html
    assert 'id="faces-text">---\n' in html


def test_nothing_in_it_is_script_or_style():
    wire = copy.deepcopy(TUTORIAL)
    wire["gitRepository"]["url"] = 'https://x/"><script>alert(1)</script>'
    for face in faces_of(Specification.from_wire(wire), place()):
        html = card(face.code, wire)
        assert "<script" not in html
        assert not re.search(r"\s(?:on\w+|style)=", html)


def test_a_face_that_has_nothing_to_say_says_so():
    wire = {"sourceKind": "OCIRepository", "ociRepository": {"url": "oci://x/y"}}
    html = card("azurerm", wire)
    assert "<pre" not in html
    assert "data-copy-from" not in html
    assert "azurerm does not know this kind of source." in html


def test_the_form_keeps_the_face_that_was_chosen():
    html = card("arm", face_form="step")
    assert '<input type="hidden" name="face" value="arm" form="step">' in html
    assert "<input" not in card("arm")


@pytest.mark.django_db
def test_the_place_of_a_cluster():
    cluster = ClusterFactory(kind="connectedClusters")
    where = place_of(cluster, "cluster-config")
    assert where.cluster_id == cluster.arm_id_display
    assert where.api_version == cluster.connection.api_version
    assert where.resource_id.startswith(cluster.arm_id_display + "/providers/")
    assert where.arm_endpoint.startswith("https://")
    assert not where.arm_endpoint.endswith("/")
