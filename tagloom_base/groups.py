"""The groups of settings, each read from the environment by itself; `tagloom_base.settings` puts them together.

A variable is named ``TAGLOOM_`` plus the field's name in capitals, unless the field's ``validation_alias`` names it.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tagloom_base import values

PREFIX = "TAGLOOM_"
NAMED_DEFAULT = "default"  # the connection of LABEL_STUDIO_URL


def each_trimmed(data: Any) -> Any:
    if isinstance(data, str):
        return values.trimmed(data)
    if isinstance(data, dict):
        return {each_trimmed(name): each_trimmed(value) for name, value in data.items()}
    return [each_trimmed(value) for value in data] if isinstance(data, list) else data


def _secret(check: Callable[[str], str]) -> AfterValidator:
    def checked(value: SecretStr) -> SecretStr:
        return SecretStr(check(value.get_secret_value()))

    return AfterValidator(checked)


AtLeastOne: TypeAlias = Annotated[int, Field(ge=1)]
NotNegative: TypeAlias = Annotated[int, Field(ge=0)]
Seconds: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Pause: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Token: TypeAlias = Annotated[SecretStr, _secret(values.token)]
UrlSecret: TypeAlias = Annotated[SecretStr, _secret(values.url_secret)]
WebUrl: TypeAlias = Annotated[str, AfterValidator(values.web_url)]


class ConnectionSettings(BaseModel, frozen=True, extra="forbid"):
    """One further Label Studio. The secret prefix in the backend's URL identifies its requests."""

    url: WebUrl
    token: Token = SecretStr("")
    url_secrets: tuple[UrlSecret, ...] = Field(min_length=1)
    names: tuple[WebUrl, ...] = ()


class _Group(BaseSettings):
    """One group of settings.

    White space around a value is ignored, and an empty variable counts as not set.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        validate_default=False,
        extra="ignore",
        populate_by_name=True,
        protected_namespaces=(),
    )

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, data: Any) -> Any:
        return {name: value for name, value in each_trimmed(data).items() if value != ""}

    @field_validator("*", mode="before")
    @classmethod
    def _unquoted(cls, value: Any) -> Any:
        return values.unquoted(value) if isinstance(value, str) else value


class PathSettings(_Group):
    """Where data is stored."""

    home: Annotated[Path, AfterValidator(values.home)] = Field(
        Path(".tagloom"),
        description="Folder of the database, features, descriptions of pictures, checkpoints, and the logs of `make "
        "up`.",
    )
    database_url: Annotated[str, AfterValidator(values.database_url)] = Field(
        "", description="SQLAlchemy URL; empty: SQLite in `TAGLOOM_HOME`."
    )

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the store."""
        return self.database_url or f"sqlite:///{self.home.resolve() / 'tagloom.db'}"

    @property
    def features(self) -> Path:
        return self.home / "features"

    @property
    def descriptions(self) -> Path:
        return self.home / "descriptions"

    @property
    def claims(self) -> Path:
        return self.home / "claims"

    @property
    def checkpoints(self) -> Path:
        return self.home / "checkpoints"

    @property
    def runs(self) -> Path:
        """The saved states of unfinished trainings."""
        return self.home / "runs"

    @property
    def search(self) -> Path:
        """The vectors and words by which items are found."""
        return self.home / "search"

    @property
    def ways(self) -> Path:
        """The ways in which encoders run fastest, by machine."""
        return self.home / "ways"

    @property
    def neighbours(self) -> Path:
        return self.home / "neighbours"

    @property
    def look_alikes(self) -> Path:
        return self.home / "look-alikes"


class AccessSettings(_Group):
    """Where the backend listens, and which credentials requests need."""

    host: Annotated[str, AfterValidator(values.listen_host)] = Field(
        "127.0.0.1", description="Address the backend listens on."
    )
    port: int = Field(9090, ge=1, le=65535, description="Port the backend listens on.")
    basic_user: Annotated[str, AfterValidator(values.user)] = Field(
        "", description="User that Label Studio sends by Basic auth; empty: Basic auth is not required."
    )
    basic_password: SecretStr = Field(SecretStr(""), description="Password of `TAGLOOM_BASIC_USER`.")
    url_secrets: Annotated[tuple[UrlSecret, ...], NoDecode] = Field(
        (),
        description="Secrets, any of which may be the first part of the backend's URL, by commas; give two while you "
        "replace one.",
    )
    webhook_secret: Token = Field(
        SecretStr(""), description="Value of the header `Authorization: Bearer ...` that a webhook may carry instead."
    )
    allow_open: bool = Field(False, description="Listen off loopback without Basic auth and without a secret.")
    max_request_bytes: AtLeastOne = Field(64_000_000, description="Largest request body that is read.")
    training_requests_per_minute: AtLeastOne = Field(
        12, description="Start training requests taken per project and minute."
    )

    @field_validator("url_secrets", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return values.parts(value) if isinstance(value, str) else value


class StudioSettings(_Group):
    """The Label Studios that Tagloom serves."""

    label_studio_url: WebUrl = Field(
        "", validation_alias="LABEL_STUDIO_URL", description="Base URL of Label Studio, e.g. http://127.0.0.1:8080."
    )
    label_studio_token: Token = Field(
        SecretStr(""),
        validation_alias="LABEL_STUDIO_API_KEY",
        description="Legacy token or personal access token; sent to `LABEL_STUDIO_URL` only.",
    )
    label_studio_names: Annotated[tuple[WebUrl, ...], NoDecode] = Field(
        (),
        description="Further URLs of the same Label Studio that stand in task data, by commas, such as its "
        "`LABEL_STUDIO_HOST`; their pictures are fetched from `LABEL_STUDIO_URL`.",
    )
    connections: Annotated[dict[str, ConnectionSettings], NoDecode] = Field(
        {},
        description="Further Label Studios as JSON: "
        '{"name": {"url": ..., "token": ..., "url_secrets": [...], "names": [...]}}.',
    )

    @field_validator("label_studio_names", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return values.parts(value) if isinstance(value, str) else value

    @field_validator("connections", mode="before")
    @classmethod
    def _from_json(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return each_trimmed(json.loads(value))
        except ValueError as broken:
            raise ValueError('should be JSON such as {"shop": {"url": …, "token": …, "url_secrets": […]}}') from broken

    @field_validator("connections")
    @classmethod
    def _named(cls, value: dict[str, ConnectionSettings]) -> dict[str, ConnectionSettings]:
        if any(name == NAMED_DEFAULT or not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name) for name in value):
            raise ValueError(
                "should name each connection by letters, digits, - and _, at most 40; 'default' is the one of "
                "LABEL_STUDIO_URL: choose another name"
            )
        return value


class WorkSettings(_Group):
    """How jobs reach the workers, and how processes log."""

    redis_url: Annotated[str, AfterValidator(values.redis_url)] = Field(
        "redis://127.0.0.1:6379/0",
        validation_alias="REDIS_URL",
        description="Redis or Valkey that carries the queue of jobs.",
    )
    queue: Annotated[str, AfterValidator(values.queue)] = Field("tagloom", description="Name of the RQ queue.")
    reconcile_minutes: Pause = Field(
        10.0,
        description="How often the store is compared with Label Studio, more rarely where that takes long; 0: never by "
        "time.",
    )
    forget_days: Pause = Field(
        0.0, description="Days after which a project that Label Studio no longer has is forgotten; 0: never by itself."
    )
    log_json: bool = Field(False, description="Log one JSON object a line instead of plain text.")


class ServingSettings(_Group):
    """How the backend answers."""

    predict_budget: Seconds = Field(60.0, description="Seconds a /predict may take (Label Studio waits 100).")
    models_in_memory: AtLeastOne = Field(
        8, description="Projects whose models stay loaded; the least recently used is unloaded first."
    )


class TaskSettings(_Group):
    """Keys of a task's data."""

    industry_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Task data keys of the industry path, outermost first, by commas; empty: usual names."
    )
    family_key: str = Field("", description="Task data key of the product family; empty: the title.")

    @field_validator("industry_keys", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return values.parts(value) if isinstance(value, str) else value


class PictureSettings(_Group):
    """Where pictures may come from, and how large they may be."""

    image_hosts: Annotated[tuple[Annotated[str, AfterValidator(values.host_pattern)], ...], NoDecode] = Field(
        (),
        description="Public hosts that pictures may be fetched from, by commas, e.g. "
        "`img.example.com,*.cdn.example.com`. `tagloom doctor` names hosts that it lacks.",
    )
    image_roots: Annotated[tuple[Annotated[Path, AfterValidator(values.folder)], ...], NoDecode] = Field(
        (), description="Folders that `file://` pictures may lie in, by commas."
    )
    image_max_bytes: AtLeastOne = Field(30_000_000, description="Largest picture file.")
    image_max_pixels: AtLeastOne = Field(
        40_000_000, description="Most pixels of a picture; decoding one may take 20 bytes a pixel."
    )
    image_seconds: Seconds = Field(20.0, description="Seconds one picture may take to arrive.")

    @field_validator("image_hosts", "image_roots", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return values.parts(value) if isinstance(value, str) else value


class EncoderSettings(_Group):
    """The encoders that turn pictures and texts into features."""

    image_encoder: str = Field(
        "auto",
        description="`auto` (the home's, see [encoders.md](encoders.md)), `efficientnet-lite0`, `shipped`, "
        "`torchvision:NAME`, `timm:NAME`, `transformers:FOLDER` or `transformers:NAME` (hub), or `...@WEIGHTS_PATH`.",
    )
    text_encoder: str = Field(
        "auto",
        description="`auto` (the home's), `shipped`, `ngrams` (character n-grams, nothing trained), a transformers "
        "model name, or a local folder.",
    )
    joint_encoder: str = Field(
        "",
        description="Encoder of pictures and texts by which words find what is seen "
        "([search.md](search.md#words-for-what-is-seen)): a folder, or a name on the hub, of CLIP, Chinese-CLIP or "
        "SigLIP; empty: none.",
    )
    device: Annotated[str, AfterValidator(values.device)] = Field(
        "cpu", description="Where encoders run and training happens: `cpu`, `cuda` or `cuda:1`."
    )

    @field_validator("image_encoder", "text_encoder", "joint_encoder")
    @classmethod
    def _at_home(cls, value: str) -> str:
        """Replace ``~`` at the beginning of a path inside the encoder's name."""
        return re.sub(r"(^|[:@])(~[^/:@]*)", lambda found: found[1] + str(values.path(Path(found[2]))), value)


class TrainingSettings(_Group):
    """How a project is trained."""

    seed: int = Field(7, ge=0, lt=2**32, description="Seed of training; same seed and data give the same checkpoint.")
    lexicon: Annotated[Path, AfterValidator(values.file)] | None = Field(
        None,
        description="File of further cues and names of labels, in the form of `model/lexicon/lexicon.toml`.",
    )
    draw_seconds: Seconds | None = Field(
        None,
        description="Seconds in which your annotators draw a box: only boxes that save time against that are shown. A "
        "careful box takes 25.5, one by extreme clicking 7. Without it each project's seconds are "
        "measured by the lead times of its annotations, 16 until they tell "
        "([annotators.md](annotators.md#boxes-by-few-keys)).",
    )
    shop_knowledge: Literal["off", "boxes", "all"] = Field(
        "off",
        description="Whether trainings use what is known of a shop ([knowledge.md](knowledge.md)): `boxes` for boxes "
        "of logos and gifts, `all` for tags too, `off` for nothing. It is learned and shown in any case.",
    )
    training_threads: NotNegative = Field(
        0,
        description="Threads of a training, of which half judge beside it at the lowest priority; 0: as many as "
        "processors.",
    )
    training_processes: AtLeastOne = Field(
        1, description="Processes that share one training of a project; on `cuda` each has its own GPU."
    )
    training_pool: NotNegative = Field(
        1000,
        description="Most tasks without gold that one training uses "
        "([training.md](training.md#tasks-without-gold) says what fewer cost).",
    )
    held_out_share: float = Field(
        0.2, ge=0, lt=1, description="Share of product families whose gold is never trained on."
    )
    settle_seconds: Pause = Field(
        1.0, description="A training begins when no gold arrived for so many seconds, after at most five times that."
    )


class SourceSettings(_Group):
    """Sources that others write, and a vision model that is asked by HTTP."""

    sources: Annotated[Path, AfterValidator(values.one_folder)] | None = Field(
        None, description="Folder of Python files with sources of your own; the workers run what is in them."
    )
    source_seconds: Seconds = Field(20.0, description="Seconds one source may take for one item.")
    source_memory_mb: int = Field(2000, ge=100, description="Memory in MB that a file's sources may use.")
    vision_url: Annotated[str, AfterValidator(values.api_url)] = Field(
        "",
        description="URL of an OpenAI-compatible API, such as http://127.0.0.1:11434/v1. Pictures, titles and "
        "industries are sent there; empty: nothing is.",
    )
    vision_model: str = Field("", description="Model that is asked at `TAGLOOM_VISION_URL`.")
    vision_key: Token = Field(SecretStr(""), description="Key of that API, sent as a bearer token.")
    vision_requests: NotNegative = Field(10_000, description="Most requests in all; 0: no limit.")
    vision_tokens: NotNegative = Field(0, description="Most tokens in all, of questions and answers; 0: no limit.")
    vision_money: Pause = Field(0.0, description="Most money in all, at the two prices; 0: no limit.")
    vision_input_price: Pause = Field(0.0, description="Price of a million tokens of questions.")
    vision_output_price: Pause = Field(0.0, description="Price of a million tokens of answers.")
    vision_requests_per_minute: float = Field(
        60.0, gt=0, allow_inf_nan=False, description="Most requests in a minute, of all workers together."
    )
    vision_seconds: Seconds = Field(60.0, description="Seconds one request may take.")
    vision_side: int = Field(
        768,
        ge=64,
        le=4096,
        description="Longest side in pixels of the pictures that are sent; larger ones are reduced.",
    )


class VersionSettings(_Group):
    """When a version is promoted, how many are kept, and what follows a promotion."""

    promotion_seconds: Pause = Field(60.0, description="Least time between two promotions of a project.")
    keep_versions: NotNegative = Field(
        5, description="Versions that once served and refused ones whose checkpoints are kept."
    )
    refresh_predictions: bool = Field(
        True,
        description="After a promotion, bring the stored predictions of unlabelled tasks up to the served version.",
    )
    uncertainty_sampling: bool = Field(
        False, description="Let Label Studio's community edition ask next for the task that teaches most."
    )
    columns: bool = Field(
        False,
        description="Write confidence, doubts and order into tasks' data, as columns of Label Studio's Data Manager.",
    )


GROUPS: dict[str, type[_Group]] = {
    "paths": PathSettings,
    "access": AccessSettings,
    "studios": StudioSettings,
    "work": WorkSettings,
    "serving": ServingSettings,
    "tasks": TaskSettings,
    "pictures": PictureSettings,
    "encoders": EncoderSettings,
    "training": TrainingSettings,
    "versions": VersionSettings,
    "sources": SourceSettings,
}
FIELDS: dict[str, FieldInfo] = {name: field for group in GROUPS.values() for name, field in group.model_fields.items()}
