"""Dependency pictures: a layered layout from left to right, drawn as inline SVG by a template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import grandalf.graphs
import grandalf.layouts

_graphs: Any = grandalf.graphs  # it has no types
_layouts: Any = grandalf.layouts
WIDTH, HEIGHT = 162, 48
GAP_X, GAP_Y = 36, 14
MARGIN = 2
TEXT_LIMIT = 17


@dataclass
class Node:
    """A box: two lines of text and an icon. `tone` colours the icon, `css` the box."""

    key: str
    text: str
    sub: str = ""
    icon: str = "stack-2"
    tone: str = "none"
    css: str = ""
    x: float = 0
    y: float = 0

    @property
    def short(self) -> str:
        return _cut(self.text)

    @property
    def short_sub(self) -> str:
        return _cut(self.sub)

    @property
    def icon_x(self) -> float:
        return self.x + 11

    @property
    def icon_y(self) -> float:
        return self.y + 15.5

    @property
    def text_x(self) -> float:
        return self.x + 36

    @property
    def text_y(self) -> float:
        return self.y + 21

    @property
    def sub_y(self) -> float:
        return self.y + 37


@dataclass
class Link:
    """An arrow. `css`: "" flows, "edge--wait" waits or is not saved, "edge--hit" blocks."""

    source: str
    target: str
    css: str = ""
    path: str = ""


@dataclass
class Picture:
    nodes: Sequence[Node]
    links: Sequence[Link]
    title: str
    text: str
    name: str = "picture"  # prefix of the ids in the SVG
    width: int = 0
    height: int = 0
    box_width: int = WIDTH
    box_height: int = HEIGHT
    notes: list[str] = field(default_factory=list)


def draw(
    nodes: Sequence[Node], links: Sequence[Link], *, title: str, text: str, name: str = "picture"
) -> Picture:
    """Place the boxes and the arrows; `text` says in words what the picture shows.

    Links from or to an unknown box, and of a box to itself, are left out.
    """
    by_key = {node.key: node for node in nodes}
    drawn = [
        link
        for link in links
        if link.source in by_key and link.target in by_key and link.source != link.target
    ]
    routes = _place(by_key, drawn)
    for link, route in zip(drawn, routes, strict=True):
        link.path = _curve(by_key[link.source], by_key[link.target], route)
    picture = Picture(nodes=nodes, links=drawn, title=title, text=text, name=name)
    picture.width = int(max((node.x for node in nodes), default=0) + WIDTH + 2 * MARGIN)
    picture.height = int(max((node.y for node in nodes), default=0) + HEIGHT + 2 * MARGIN)
    return picture


class _View:
    """What grandalf wants to know of a box; its layers go down, ours to the right."""

    def __init__(self) -> None:
        self.w, self.h = HEIGHT + GAP_Y, WIDTH + GAP_X
        self.xy = (0.0, 0.0)


class _Route:
    """Where grandalf leaves the points of an arrow that passes other layers."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []

    def setpath(self, points: list[tuple[float, float]]) -> None:
        self.points = points


def _place(by_key: dict[str, Node], links: Sequence[Link]) -> list[list[tuple[float, float]]]:
    """Set x and y of every box; the points between, one list an arrow."""
    vertices = {key: _graphs.Vertex(key) for key in by_key}
    for vertex in vertices.values():
        vertex.view = _View()
    edges = [_graphs.Edge(vertices[link.source], vertices[link.target]) for link in links]
    for edge in edges:
        edge.view = _Route()
    graph = _graphs.Graph(list(vertices.values()), edges)
    top = 0.0
    offsets: dict[str, float] = {}
    for component in graph.C:
        layout = _layouts.SugiyamaLayout(component)
        layout.xspace, layout.yspace = 0, 0
        roots = [vertex for vertex in component.sV if not vertex.e_in()]
        layout.init_all(roots=roots or None)
        layout.draw(3)
        found = list(component.sV)
        left = min(vertex.view.xy[1] for vertex in found)
        upper = min(vertex.view.xy[0] for vertex in found)
        for vertex in found:
            across, down = vertex.view.xy
            node = by_key[vertex.data]
            node.x = MARGIN + down - left
            node.y = MARGIN + across - upper + top
            offsets[vertex.data] = top - upper
        top += max(v.view.xy[0] for v in found) - upper + HEIGHT + GAP_Y
    return [
        [
            (MARGIN + down + WIDTH / 2, MARGIN + across + offsets[link.source] + HEIGHT / 2)
            for across, down in edge.view.points[1:-1]
        ]
        for link, edge in zip(links, edges, strict=True)
    ]


def _curve(source: Node, target: Node, between: Sequence[tuple[float, float]]) -> str:
    """From the right side of one box to the left side of the other, smoothly."""
    start = (source.x + WIDTH, source.y + HEIGHT / 2)
    end = (target.x - 3, target.y + HEIGHT / 2)
    path = f"M{start[0]:.0f} {start[1]:.0f}"
    at = start
    for point in (*between, end):
        middle = (at[0] + point[0]) / 2
        path += (
            f"C{middle:.0f} {at[1]:.0f} {middle:.0f} {point[1]:.0f} {point[0]:.0f} {point[1]:.0f}"
        )
        at = point
    return path


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"
