"""What Tagloom learns: features, weak labels, network, training. A library that knows neither HTTP nor Redis."""

from model import torchvision_schemas

torchvision_schemas.watch_import()
