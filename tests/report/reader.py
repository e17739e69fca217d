"""How tests read a page: its tags, attributes and text; and a text that would harm a page that trusts it."""

from __future__ import annotations

from html.parser import HTMLParser

HOSTILE = """</script><script>alert(1)</script>"'`{{7*7}}\x1b[31m\u202egpj\udcff&<img src=x onerror=alert(2)>.jpg"""
EMPTY = {"br", "img", "input", "link", "meta", "path", "rect", "use", "image"}


class Reader(HTMLParser):
    """Collects tags, attributes and text; fails where tags do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.inside: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"{tag} has an attribute twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.inside.setdefault(self.open[-1], []).append(data)
        if not {"style", "script"} & set(self.open):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def assert_fetches_nothing(self) -> None:
        """No tag has a style or handler of its own, and every address is a place in the page or inlined data."""
        for tag, attributes in self.tags:
            assert "style" not in attributes, f"{tag} has a style of its own, which the policy would refuse"
            assert not any(name.startswith("on") for name in attributes), f"{tag} has a handler of its own"
            for name in ("src", "href", "xlink:href", "action", "data", "srcset", "poster"):
                value = attributes.get(name) or "#"
                assert value.startswith(("#", "data:image/")), (tag, name, value[:80])
