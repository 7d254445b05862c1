"""Optical character recognition: the text blocks of a picture with their places."""

import sys

# At each start OpenVINO reports to Google Analytics, unless its telemetry package cannot be imported: then it uses its
# own stub. The package must be hidden before the first import of openvino.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
