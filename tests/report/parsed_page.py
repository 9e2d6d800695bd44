"""A page as a browser would take it apart, and values with markup in every string."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "link", "img", "br", "hr", "input"}
MARKUP = """"'><x-live onclick=alert(1)></script></style></title></select> & &amp; {{ 7 * 7 }} {% raw %} $title"""
MEANT = ("group", "curriculum")
"""Fields whose strings have a meaning to the code."""


class Page(HTMLParser):
    """Elements, text and problems of nesting of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.problems: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        if not (self.open and self.open[-1] in ("script", "style")):
            self.texts.append(data)

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def shape(self) -> Counter[tuple[str, ...]]:
        """Every element with the names of its attributes, counted: what no string of data may change."""
        return Counter((tag, *attributes) for tag, attributes in self.elements)


def with_markup(value: Any) -> Any:
    """The value with MARKUP behind every string in it that is not empty, keys too."""
    if isinstance(value, str):
        return value + MARKUP if value else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.name not in MEANT]
        return dataclasses.replace(value, **{name: with_markup(getattr(value, name)) for name in names})
    if isinstance(value, Mapping):
        return {with_markup(key): with_markup(part) for key, part in value.items()}
    return type(value)(map(with_markup, value)) if isinstance(value, list | tuple) else value
