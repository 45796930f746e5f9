"""Templates of self-contained pages: one look, shared parts, everything that comes from data escaped."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
"""Holds `style.css` and `parts.html.j2`, which every page may use."""


def render(template: Path, **values: object) -> str:
    """A page as one document.

    Args:
        template: a Jinja template; it may include files that lie beside it or in this room.
        values: what it shows; text is escaped unless it is `Markup`.
    """
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FileSystemLoader([template.parent, FOLDER]),
    )
    return environment.get_template(template.name).render(**values)
