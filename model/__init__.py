"""What Tagloom learns: features, weak labels, network, training. A library that knows neither HTTP nor Redis."""

import sys

from model import torchvision_schemas

torchvision_schemas.watch_import()
# At each start OpenVINO reports to Google Analytics, unless its telemetry package cannot be imported: then it uses its
# own stub. The package must be hidden before the first import of openvino.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
