"""The tables of the store. `migrations/` creates them; a test compares the two.

Times by the store's clock are unix seconds (float). `updated_us` is Label Studio's own `updated_at`, in microseconds
since 1970.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
)

from store.values import storable


class Name(TypeDecorator[str]):
    """Text up to a length. Characters that a database refuses are replaced, because they would fail a whole commit."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class Words(Name):
    """Text of any length; characters are replaced as in `Name`."""

    impl = Text
    cache_ok = True


METADATA = MetaData()

# SQLite assigns row ids only to columns of type INTEGER; PostgreSQL needs BIGINT.
WIDE = BigInteger().with_variant(Integer, "sqlite")

PROJECTS = Table(
    "projects",
    METADATA,
    Column("key", Name(200), primary_key=True),
    Column("title", Words, nullable=False),
    Column("label_config", Words, nullable=False),
    Column("config_us", BigInteger, nullable=False),
    Column("gold_revision", BigInteger, nullable=False),
    Column("trained_revision", BigInteger, nullable=False),
    Column("next_number", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("retry_at", Float, nullable=False),
    Column("failure", Words, nullable=False),
    Column("reconciled_at", Float, nullable=False),
    Column("reconcile_cursor", BigInteger, nullable=False, server_default="0"),
    Column("reconcile_asked_at", Float, nullable=False, server_default="0"),
    Column("reconcile_began_at", Float, nullable=False, server_default="0"),
    Column("reconcile_not_before", Float, nullable=False, server_default="0"),
    Column("reconcile_failures", Integer, nullable=False, server_default="0"),
    Column("offered_generation", BigInteger, nullable=False, server_default="0"),
    Column("created_at", Float, nullable=False),
    Column("industry_keys", Words, nullable=False, server_default="[]"),
    Column("unread_gold", Integer, nullable=False, server_default="0"),
    Column("gold_notes", Words, nullable=False, server_default="{}"),
    Column("reread_until", Float, nullable=False, server_default="0"),
    Column("gone_at", Float, nullable=False, server_default="0"),
    Column("encode_cursor", BigInteger, nullable=False, server_default="0"),
    Column("reconcile_urgent", Boolean, nullable=False, server_default=false()),
    Column("pictures_due_at", Float, nullable=False, server_default="0"),
    Column("pictures_pause", Float, nullable=False, server_default="0"),
    Column("address_notes", Words, nullable=False, server_default="{}"),
    Column("last_training", Words, nullable=False, server_default="{}"),
    Column("answered_generation", BigInteger, nullable=False, server_default="-1"),
    Column("answers_begun", Words, nullable=False, server_default=""),
    Column("answered_upto", BigInteger, nullable=False, server_default="-1"),
    Column("answers_round", BigInteger, nullable=False, server_default="0"),
    Column("refreshed", Words, nullable=False, server_default=""),
    Column("crowded_until", Float, nullable=False, server_default="0"),
)

EVENTS = Table(
    "events",
    METADATA,
    Column("id", WIDE, primary_key=True, autoincrement=True),
    Column("received_at", Float, nullable=False, index=True),
    Column("project_key", Name(200), nullable=False),
    Column("action", Name(64), nullable=False),
    Column("body", Words, nullable=False),
    Column("failure", Words, nullable=False),
)

TASKS = Table(
    "tasks",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("task_id", WIDE, primary_key=True, autoincrement=False),
    Column("data", Words, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("seen_at", Float, nullable=False),
)

ANNOTATIONS = Table(
    "annotations",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("annotation_id", WIDE, primary_key=True, autoincrement=False),
    Column("task_id", WIDE, nullable=False),
    Column("content", Words, nullable=False),
    Column("updated_us", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("lead_seconds", Float),
    Index("annotations_of_task", "project_key", "task_id"),
)

VERSIONS = Table(
    "versions",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("version", Name(64), nullable=False),
    Column("parent", Name(64), nullable=False),
    Column("folder", Words, nullable=False),
    Column("state", Name(16), nullable=False),
    Column("reason", Words, nullable=False),
    Column("phase", Name(32), nullable=False),
    Column("space", Name(64), nullable=False),
    Column("labels", Words, nullable=False),
    Column("metrics", Words, nullable=False),
    Column("gold_revision", BigInteger, nullable=False),
    Column("gold_count", Integer, nullable=False),
    Column("weak_count", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("promoted_at", Float, nullable=False),
    Column("note", Words, nullable=False, server_default=""),
    Column("judged_generation", BigInteger, nullable=False, server_default="0"),
    Column("due_at", Float, nullable=False, server_default="0"),
)

CURRENT = Table(
    "current",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("since", Float, nullable=False),
)

SWITCHES = Table(
    "switches",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("generation", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Column("chosen_by", Name(200), nullable=False),
)

ANSWERS = Table(
    "answers",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("task_id", WIDE, primary_key=True, autoincrement=False),
    Column("version", Name(64), primary_key=True),
    Column("item_key", Name(64), nullable=False),
    Column("score", Float, nullable=False),
    Column("labels", Words, nullable=False),
    Column("content", Words, nullable=False),
    Column("look_alike", WIDE, nullable=False),
    Column("changed", Boolean, nullable=False),
    Index("answers_by_score", "project_key", "version", "score"),
    Index("answers_by_look_alike", "project_key", "version", "look_alike"),
)

ANSWER_LABELS = Table(
    "answer_labels",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("version", Name(64), primary_key=True),
    Column("task_id", WIDE, primary_key=True, autoincrement=False),
    Column("label", Name(200), primary_key=True),
    Column("given", Boolean, nullable=False),
    Column("source", Name(200), nullable=False),
    Index("answer_labels_given", "project_key", "version", "label", "given", "task_id"),
)

GOLD_LABELS = Table(
    "gold_labels",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("task_id", WIDE, primary_key=True, autoincrement=False),
    Column("label", Name(200), primary_key=True),
    Column("there", Boolean, nullable=False),
)

DOUBTS = Table(
    "doubts",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("task_id", WIDE, primary_key=True, autoincrement=False),
    Column("label", Name(200), primary_key=True),
    Column("given", Boolean, nullable=False),
    Column("probability", Float, nullable=False),
    Column("because", Words, nullable=False),
    Column("gold", Name(64), nullable=False),
    Column("stands", Boolean, nullable=False),
    Column("dismissed_at", Float, nullable=False),
    Column("dismissed_by", Name(200), nullable=False),
)

FAST_ANSWERS = Table(
    "fast_answers",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("task_id", WIDE, primary_key=True, autoincrement=False),
    Column("version", Name(64), primary_key=True),
    Column("given_at", Float, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("settled", Boolean, nullable=False),
)

PICTURE_NOTES = Table(
    "picture_notes",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("note", Name(200), primary_key=True),
    Column("pictures", BigInteger, nullable=False),
)

SOURCES = Table(
    "sources",
    METADATA,
    Column("name", Name(80), primary_key=True),
    Column("version", Name(80), nullable=False),
    Column("about", Words, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("money", Float, nullable=False),
    Column("next_at", Float, nullable=False),
)

SOURCE_OPINIONS = Table(
    "source_opinions",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("item_key", Name(64), primary_key=True),
    Column("source", Name(80), primary_key=True),
    Column("version", Name(80), nullable=False),
    Column("labels", Name(64), nullable=False),
    Column("said", Words, nullable=False),
)

SOURCE_NOTES = Table(
    "source_notes",
    METADATA,
    Column("source", Name(80), primary_key=True),
    Column("kind", Name(40), primary_key=True),
    Column("text", Words, nullable=False),
    Column("times", BigInteger, nullable=False),
)

SOURCE_ROUNDS = Table(
    "source_rounds",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("due_at", Float, nullable=False),
    Column("pause", Float, nullable=False),
)

UNREAD_PICTURES = Table(
    "unread_pictures",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("task_id", WIDE, primary_key=True, autoincrement=False),
    Column("reason", Words, nullable=False),
)

PROCESSES = Table(
    "processes",
    METADATA,
    Column("name", Name(250), primary_key=True),
    Column("role", Name(16), nullable=False),
    Column("settings", Words, nullable=False),
    Column("seen_at", Float, nullable=False),
)

MEASURES = Table(
    "measures",
    METADATA,
    Column("name", Name(80), primary_key=True),
    Column("labels", Name(200), primary_key=True),
    Column("amount", Float, nullable=False),
)

RUNNING_JOBS = Table(
    "running_jobs",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("kind", Name(16), primary_key=True),
    Column("began_at", Float, nullable=False),
)

WEBHOOKS = Table(
    "webhooks",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("trouble", Name(16), nullable=False),
    Column("words", Words, nullable=False),
    Column("switched_on_at", Float, nullable=False),
    Column("missed", BigInteger, nullable=False),
    Column("missed_until", Float, nullable=False),
)

LEASES = Table(
    "leases",
    METADATA,
    Column("name", Name(250), primary_key=True),
    Column("holder", Name(250), nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("expires_at", Float, nullable=False),
)

KNOWLEDGE = Table(
    "knowledge",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("part", Name(16), primary_key=True),
    Column("content", Words, nullable=False),
)

ENCODERS = Table(
    "encoders",
    METADATA,
    Column("part", Name(16), primary_key=True),
    Column("name", Words, nullable=False),
)

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("hash", Name(64), primary_key=True),
    Column("connection", Name(40), nullable=False),
    Column("person", Name(200), nullable=False),
    Column("token", Words, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
)

BATCHES = Table(
    "batches",
    METADATA,
    Column("id", WIDE, primary_key=True, autoincrement=True),
    Column("project_key", Name(200), nullable=False),
    Column("form", Name(64), nullable=False),
    Column("person", Name(200), nullable=False),
    Column("at", Float, nullable=False),
    Column("version", Name(64), nullable=False),
    Column("labels", Words, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("problem", Words, nullable=False),
    Column("taken_back_by", Name(200), nullable=False),
    Column("taken_back_at", Float, nullable=False),
    Index("batches_of_project", "project_key", "form", unique=True),
)

BATCH_PICTURES = Table(
    "batch_pictures",
    METADATA,
    Column("batch", WIDE, primary_key=True, autoincrement=False),
    Column("task_id", WIDE, primary_key=True, autoincrement=False),
    Column("project_key", Name(200), nullable=False),
    Column("labels", Words, nullable=False),
    Column("state", Name(16), nullable=False),
    Column("result", Words, nullable=False),
    Column("annotation_id", BigInteger, nullable=False),
    Column("updated_at", Name(40), nullable=False),
    Column("digest", Name(64), nullable=False),
    Index("batch_pictures_of_task", "project_key", "task_id"),
)

PREDICTION_REMOVALS = Table(
    "prediction_removals",
    METADATA,
    Column("project_key", Name(200), primary_key=True),
    Column("version", Name(64), primary_key=True),
    Column("person", Name(200), nullable=False),
    Column("at", Float, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("done_at", Float, nullable=False),
    Column("removed", Integer, nullable=False),
    Column("kept", Integer, nullable=False),
)

IDENTITY = Table("identity", METADATA, Column("id", Name(32), primary_key=True))
