"""Tests may import transformers before any of our modules, which beside a CPU-only torch needs the schemas first."""

from model import torchvision_schemas

torchvision_schemas.watch_import()
