"""The systemd units of deploy/, read without systemd."""

import shlex
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "systemd"
UNITS = sorted(path.name for path in FOLDER.iterdir())


@dataclass(frozen=True)
class Unit:
    """A unit: section → name → values in order."""

    sections: dict[str, dict[str, list[str]]]

    @classmethod
    def read(cls, name: str) -> "Unit":
        sections: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        section = ""
        for line in (FOLDER / name).read_text("utf-8").splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line and not line.startswith("#"):
                key, _, value = line.partition("=")
                sections[section][key].append(value)
        return cls({section: dict(entries) for section, entries in sections.items()})

    def one(self, key: str, section: str = "Service") -> str:
        (value,) = self.sections[section][key]
        return value

    def command(self, opt: Path) -> list[str]:
        """The words of ExecStart, with the programs of ``opt`` in the place of /opt/tagloom/bin."""
        first, *rest = shlex.split(self.one("ExecStart"))
        assert first.startswith("/opt/tagloom/bin/")
        return [str(opt / Path(first).name), *rest]

    def environment(self, etc: Path) -> dict[str, str]:
        """What systemd would set, with the files of ``etc`` in the place of /etc/tagloom."""
        lines = [line for value in self.sections["Service"].get("Environment", []) for line in value.split()]
        for file in self.sections["Service"]["EnvironmentFile"]:
            assert file.startswith("/etc/tagloom/")
            lines += (etc / Path(file).name).read_text("utf-8").splitlines()
        given = [line.partition("=") for line in lines if line and not line.startswith("#")]
        return {name: value for name, _, value in given}
