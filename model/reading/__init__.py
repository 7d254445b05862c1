"""Optical character recognition: text blocks with their places."""

import sys

# At each start OpenVINO reports to Google Analytics, unless its telemetry package cannot be imported: it then takes a
# stub of its own. What is named here must happen before the first import of openvino.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
