"""Parts of the HTML reports that commands write: style, and pictures with their boxes. They load nothing else.

Plots are those of the backend's pages (``backend.pages.plot``).
"""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


def rendered(package: str, template: str, **names: object) -> str:
    """Return the page of a package's template, which may import ``parts.html.jinja`` and ``plot.html.jinja``."""
    loader = ChoiceLoader([PackageLoader(one, "") for one in (package, "tagloom.pages", "backend.pages")])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(template).render(**names)
