"""Parts of the HTML pages that Tagloom writes: plots, and pictures with their boxes. The pages load nothing else."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


def rendered(package: str, template: str, **names: object) -> str:
    """Return the page of a package's template, which may import ``parts.html.jinja``."""
    loader = ChoiceLoader([PackageLoader(package, ""), PackageLoader("tagloom.pages", "")])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(template).render(**names)
