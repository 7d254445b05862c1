"""Every setting of every process, read once from the environment (prefix ``TAGLOOM_``)."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class ConnectionSettings(BaseModel, frozen=True, extra="forbid"):
    """One further Label Studio. Its requests are told apart by the secret prefix in the backend's URL."""

    url: str
    token: SecretStr = SecretStr("")
    url_secrets: tuple[SecretStr, ...] = Field(min_length=1)


class Settings(BaseSettings):
    """Frozen settings of one process. ``docs/operations.md`` explains each field."""

    model_config = SettingsConfigDict(
        env_prefix="TAGLOOM_", frozen=True, extra="ignore", populate_by_name=True, protected_namespaces=()
    )

    home: Path = Field(
        Path(".tagloom"),
        description="Folder of the database, features, descriptions of pictures, checkpoints and logs.",
    )
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

    connections: dict[str, ConnectionSettings] = Field(
        {}, description='Further Label Studios as JSON: {"name": {"url": ..., "token": ..., "url_secrets": [...]}}.'
    )

    basic_user: str = Field("", description="User that Label Studio sends by Basic auth; empty: not asked for.")
    basic_password: SecretStr = Field(SecretStr(""), description="Password of `basic_user`.")
    url_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Secret first parts of the backend's URL, by commas; all of them count, so one can be replaced."
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="Value of the header `Authorization: Bearer ...` that a webhook may carry instead."
    )
    allow_open: bool = Field(False, description="Listen off loopback without Basic auth and without a secret.")
    max_request_bytes: int = Field(64_000_000, description="Largest request body that is read.")
    training_requests_per_minute: int = Field(12, description="Start training requests taken per project and minute.")

    predict_budget: float = Field(60.0, description="Seconds a /predict may take (Label Studio waits 100).")
    max_batch: int = Field(16, description="Most items that one inference batch takes from waiting requests.")
    models_in_memory: int = Field(8, description="Projects whose models stay loaded; least recently used leave first.")
    poll_seconds: float = Field(0.3, description="How often the backend looks for new versions.")

    industry_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Task data keys of the industry path, outermost first, by commas; empty: usual names."
    )
    image_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Public hosts that pictures may come from, by commas, e.g. `img.example.com,*.cdn.example.com`."
    )
    image_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="Folders that `file://` pictures may lie in, by commas."
    )
    image_max_bytes: int = Field(30_000_000, description="Largest picture file.")
    image_max_pixels: int = Field(
        40_000_000, description="Most pixels of a picture; decoding one may take 20 bytes a pixel."
    )
    image_seconds: float = Field(20.0, description="Seconds one picture may take to arrive.")

    training_threads: int = Field(0, description="Threads of a training; 0: half of the processors.")
    training_processes: int = Field(
        1, ge=1, description="Processes that train one project together; on `cuda` each has a GPU of its own."
    )
    training_pool: int = Field(4000, description="Most tasks without gold that one training looks at.")
    promotion_seconds: float = Field(60.0, description="Least time between two promotions of a project.")
    held_out_share: float = Field(0.2, description="Share of product families whose gold is never trained on.")
    family_key: str = Field("", description="Task data key of the product family; empty: the title.")
    settle_seconds: float = Field(
        1.0, description="A training begins when no gold came for so long (at most five times that)."
    )
    keep_versions: int = Field(5, description="Versions that once served and refused ones whose checkpoints are kept.")
    reconcile_minutes: float = Field(
        10.0, description="How often the store is compared with Label Studio; 0: never by time."
    )

    superseded_predictions: Literal["keep", "delete"] = Field(
        "keep",
        description="`delete`: once a task in Label Studio has a prediction of the served version, those of earlier "
        "versions go, except ones that an annotation was made from.",
    )
    uncertainty_sampling: bool = Field(
        False, description="Let Label Studio's community edition ask for the least certain task next."
    )

    log_json: bool = Field(False, description="Log one JSON object a line instead of plain text.")

    image_encoder: str = Field(
        "shipped",
        description="`shipped`, `torchvision:NAME`, `timm:NAME`, `transformers:FOLDER` or `transformers:NAME` (hub), "
        "or `...@WEIGHTS_PATH`.",
    )
    text_encoder: str = Field(
        "shipped",
        description="`shipped`, `ngrams` (character n-grams, nothing trained), a transformers model name, or a local "
        "folder.",
    )
    lexicon: Path | None = Field(
        None,
        description="File of further cues and names of labels, in the form of `model/weak_supervision/lexicon.toml`.",
    )
    device: str = Field("cpu", description="Where encoders run and training happens: `cpu`, `cuda` or `cuda:1`.")
    seed: int = Field(7, description="Seed of training; same seed and data give the same checkpoint.")

    @field_validator("url_secrets", "industry_keys", "image_hosts", "image_roots", mode="before")
    @classmethod
    def _by_commas(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("lexicon")
    @classmethod
    def _usable(cls, value: Path | None) -> Path | None:
        if value is not None:
            from model.weak_supervision.lexicon import Lexicon  # who has no such file need not load it

            Lexicon.load(value)
        return value

    @cached_property
    def database(self) -> str:
        """SQLAlchemy URL of the store."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'tagloom.db'}"

    @property
    def features_folder(self) -> Path:
        return self.home / "features"

    @property
    def descriptions_folder(self) -> Path:
        return self.home / "descriptions"

    @property
    def claims_folder(self) -> Path:
        return self.home / "claims"

    @property
    def checkpoints_folder(self) -> Path:
        return self.home / "checkpoints"
