"""The tables of the store. What is here is what the migrations make; a test compares the two.

A day is a whole number, 20250127; a moment is microseconds since 1970, UTC; an unknown number is NULL, but an unknown
severity is -1, so that triggers have one order by it.
"""

import datetime as dt

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

NO_SEVERITY = -1.0
"""The severity of a trigger of which it is unknown."""

metadata = MetaData()
JSON_TEXT = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
# SQLite numbers rows by itself in a column of this very type only.
NUMBER = BigInteger().with_variant(Integer, "sqlite")

triggers = Table(
    "triggers",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("identity", String(16), nullable=False),
    Column("day", Integer, nullable=False),
    Column("k", SmallInteger, nullable=False),
    Column("moment", BigInteger, nullable=False),
    Column("session", String(8), nullable=False),
    Column("symbol", Text, nullable=False),
    Column("scanner", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("side", SmallInteger, nullable=False),
    Column("price", Double),
    Column("level", Double),
    Column("score", Double),
    Column("severity", Double, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("stop", Double),
    Column("distance", Double),
    Column("shares", Double),
    Column("settings", Text, nullable=False),
    Column("intrabar", Boolean, nullable=False),
    Column("note", Text),
    Column("version", Integer),
    Column("late", Double, nullable=False),
    Column("entry", Text, nullable=False),
    Column("metrics", JSON_TEXT, nullable=False),
    Index("triggers_identity", "identity", unique=True),
    # What an order is by, and then whatever may be asked beside it: a search reads an index alone.
    Index("triggers_by_time", "day", "moment", "id", "severity", "scanner", "kind", "symbol"),
    Index("triggers_by_symbol", "symbol", "day", "moment", "id", "severity", "scanner", "kind"),
    Index("triggers_by_scanner", "scanner", "day", "moment", "id", "severity", "kind", "symbol"),
    Index("triggers_by_severity", "severity", "day", "moment", "id", "scanner", "kind", "symbol"),
)

tallies = Table(
    "tallies",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("scanner", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("triggers", Integer, nullable=False),
)
"""How many triggers of a kind a scanner said on a day: what there is to choose from, and how long a search will be."""

boards = Table(
    "boards",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("k", SmallInteger, primary_key=True, autoincrement=False),
    Column("moment", BigInteger, nullable=False),
    Column("entry", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)
"""The lists of a closed step, whole, as they were published."""

versions = Table(
    "versions",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("moment", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("base", Integer, nullable=False),
    Column("of_file", Boolean, nullable=False),
    Column("content", String(64), nullable=False),
    Column("thresholds", JSON_TEXT, nullable=False),
    Column("changes", JSON_TEXT, nullable=False),
)
"""The versions of the settings; `content` is the hash of the thresholds; `of_file`: they are a settings file's."""

audit = Table(
    "audit",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("moment", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("detail", JSON_TEXT, nullable=False),
    Index("audit_by_who", "who", "id"),
    Index("audit_by_what", "what", "id"),
)

progress = Table(
    "progress",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("last_id", Text, nullable=False),
    Column("moment", BigInteger, nullable=False),
)
"""How far a consumer has come in a stream; written with the rows."""

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)


def number_of(day: dt.date) -> int:
    """The day as the tables have it.

    >>> number_of(dt.date(2025, 1, 27)), day_of(20250127)
    (20250127, datetime.date(2025, 1, 27))
    """
    return day.year * 10_000 + day.month * 100 + day.day


def day_of(number: int) -> dt.date:
    """The day of a number of the tables."""
    return dt.date(number // 10_000, number // 100 % 100, number % 100)


def moment_of(time: dt.datetime) -> int:
    """The instant as the tables have it, to the microsecond.

    >>> moment_of(dt.datetime(1970, 1, 1, 0, 0, 2, 5, tzinfo=dt.UTC)), time_of(2_000_005)
    (2000005, datetime.datetime(1970, 1, 1, 0, 0, 2, 5, tzinfo=datetime.timezone.utc))
    """
    return (time - EPOCH) // MICROSECOND


def time_of(moment: int) -> dt.datetime:
    """The instant of a moment of the tables, UTC."""
    return EPOCH + moment * MICROSECOND
