"""Every setting of every process, read once from the environment (prefix ``TAGLOOM_``)."""

from functools import cached_property
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Frozen settings of one process. ``docs/operations.md`` explains each field."""

    model_config = SettingsConfigDict(
        env_prefix="TAGLOOM_", frozen=True, extra="ignore", populate_by_name=True, protected_namespaces=()
    )

    home: Path = Field(Path(".tagloom"), description="Folder of the database, features, checkpoints and logs.")
    database_url: str = Field("", description="SQLAlchemy URL; empty: SQLite in `home`.")
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        validation_alias="REDIS_URL",
        description="Redis or Valkey that carries 'there is work' (environment variable REDIS_URL).",
    )
    queue: str = Field("tagloom", description="Name of the RQ queue.")

    host: str = Field("127.0.0.1", description="Address the backend listens on.")
    port: int = Field(9090, description="Port the backend listens on.")

    label_studio_url: str = Field(
        "", validation_alias="LABEL_STUDIO_URL", description="Base URL of Label Studio, e.g. http://127.0.0.1:8080."
    )
    label_studio_token: SecretStr = Field(
        SecretStr(""),
        validation_alias="LABEL_STUDIO_API_KEY",
        description="Legacy token or personal access token; sent to `label_studio_url` only.",
    )

    image_encoder: str = Field("shipped", description="`shipped`, `torchvision:NAME` or `timm:NAME`, or `...@WEIGHTS_PATH`.")
    text_encoder: str = Field("shipped", description="`shipped`, a transformers model name, or a local folder.")
    seed: int = Field(7, description="Seed of training; same seed and data give the same checkpoint.")

    @cached_property
    def database(self) -> str:
        """SQLAlchemy URL of the store."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'tagloom.db'}"

    @property
    def features_folder(self) -> Path:
        return self.home / "features"

    @property
    def checkpoints_folder(self) -> Path:
        return self.home / "checkpoints"
