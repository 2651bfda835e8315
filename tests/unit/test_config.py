"""The configuration file: what it accepts, and how it says what is wrong and where."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.config import Config, load_config
from tasks.errors import ConfigError
from tasks.table import LEDGER, Breaker, Table
from tasks.warehouse.tables import COLUMNS

SECRET = "hunter2"
SOURCE = f"source: {{url: 'postgresql://app:{SECRET}@db/shop'}}\n"
TABLES = "tables: [{name: users}]\n"
INCREMENTAL = "tables:\n- name: orders\n  mode: incremental\n  cursor: updated_at\n"

Load = Callable[[str], Config]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tables.yaml"


@pytest.fixture
def load(path: Path) -> Load:
    """Loads a configuration from its text."""

    def from_text(text: str) -> Config:
        path.write_text(text, encoding="utf-8")
        return load_config(path)

    return from_text


def refused(load: Load, text: str) -> ConfigError:
    """The complaint about a text, which must always come with a remedy."""
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (SOURCE + TABLES + "tabels: []\n", "3: tabels: unknown setting"),
        (SOURCE + "tables:\n- name: a\n  moed: x\n", "4: tables[0].moed: unknown setting"),
        (SOURCE + TABLES + "1: 2\n", "3: 1: unknown setting"),
        (TABLES, "1: source: missing, expected a value"),
        (SOURCE, "1: tables: missing, expected a value"),
        (SOURCE + "tables:\n- mode: full_refresh\n", "3: tables[0].name: missing"),
        (SOURCE + "tables: []\n", "2: tables: list should have at least 1 item"),
        (SOURCE + "tables: {name: a}\n", "2: tables: input should be a valid list"),
        (SOURCE + "tables: [{name: ''}]\n", "2: tables[0].name: string should have at least 1"),
        (SOURCE + "tables:\n- name: a\n  mode: upsert\n", "4: tables[0].mode: input should be"),
        (SOURCE + TABLES + "defaults:\n  retries: -1\n", "4: defaults.retries: input should be"),
        (SOURCE + TABLES + "defaults:\n  retries: 21\n", "4: defaults.retries: input should be"),
        (SOURCE + "tables:\n- name: app.Sync_Runs\n", "3: tables[0]: expected another name"),
        (SOURCE + TABLES + "defaults:\n  retries: x\n", "4: defaults.retries: input should be"),
        ("source: {streams: 99, demo: {}}\n" + TABLES, "1: source.streams: input should be"),
        ("source:\n  schema: app\n" + TABLES, "2: source: expected exactly one of url, block"),
        (
            "source:\n  demo: {}\n  url: postgresql://db/shop\n" + TABLES,
            "2: source: expected exactly one of url, block and demo",
        ),
        (
            "source:\n  url: mysql://db/shop\n" + TABLES,
            "2: source.url: expected a URL that starts with postgresql://",
        ),
        (
            SOURCE + "tables:\n- name: a\n  breaker:\n    max_dead_letter_ratio: 2\n",
            "5: tables[0].breaker.max_dead_letter_ratio: input should be less",
        ),
        (
            SOURCE + TABLES + "quality:\n- relation: orders\n",
            "4: quality[0].relation: string should match pattern",
        ),
        (
            SOURCE + TABLES + "quality:\n- relation: a.b\n  max_age: {column: c, hours: 0}\n",
            "5: quality[0].max_age.hours: input should be greater",
        ),
    ],
)
def test_a_wrong_value_is_told_with_its_file_line_field_and_expectation(
    load: Load, path: Path, text: str, complaint: str
) -> None:
    assert refused(load, text).message.startswith(f"{path}:{complaint}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("source: {\n", ":2: is not valid YAML"),
        ("source:\n\turl: x\n", ":2: is not valid YAML"),
        (SOURCE + TABLES + "---\na: 1\n", ":3: is not valid YAML"),
        (SOURCE + "tables: *nobody\n", ":2: is not valid YAML"),
        ("", ": is empty"),
        ("# nothing\n", ": is empty"),
        ("hello\n", ": is not a mapping of settings"),
        ("- tables\n", ": is not a mapping of settings"),
        (SOURCE + SOURCE + TABLES, ":2: source is written twice"),
        (SOURCE + "tables:\n- name: a\n  name: b\n", ":4: name is written twice"),
    ],
)
def test_a_file_of_the_wrong_shape_is_told_with_its_line(
    load: Load, path: Path, text: str, complaint: str
) -> None:
    assert refused(load, text).message.startswith(f"{path}{complaint}")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(SOURCE + "tables: [{name: 2020-99-99}]\n", id="impossible date"),
        pytest.param(SOURCE + "tables: [{name: !!foo x}]\n", id="unknown tag"),
        pytest.param(SOURCE + "? [a, b]\n: 1\n", id="list as a key"),
        pytest.param("source: &s {url: *s}\n", id="anchor inside itself"),
        pytest.param(
            SOURCE + INCREMENTAL + "  lag: 9999999999d\n", id="duration beyond a timedelta"
        ),
    ],
)
def test_no_file_makes_the_loader_stumble(load: Load, text: str) -> None:
    refused(load, text)


def test_a_file_that_is_not_there_is_told_by_its_path(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tables\.yaml: can't be read"):
        load_config(path)


def test_a_file_that_is_not_utf8_is_told_by_its_path(path: Path) -> None:
    path.write_bytes(b"source: \xff\n")
    with pytest.raises(ConfigError, match=r"tables\.yaml: is not UTF-8"):
        load_config(path)


def test_an_environment_variable_takes_its_place_in_the_file(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_URL", "postgresql://db/{shop:yaml}")
    url = load("source: {url: '${SHOP_URL}'}\n" + TABLES).source.url
    assert url is not None
    assert url.get_secret_value() == "postgresql://db/{shop:yaml}"


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_environment_variable_is_named_with_its_line(
    load: Load, path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("SHOP_URL", raising=False)
    if value is not None:
        monkeypatch.setenv("SHOP_URL", value)
    error = refused(load, "source:\n  url: ${SHOP_URL}\n" + TABLES)
    assert error.message == f"{path}:2: the environment variable SHOP_URL is not set."
    assert "export SHOP_URL=" in error.remedy


@pytest.mark.parametrize(("value", "expected"), [(None, 2.5), ("", 2.5), ("4", 4)])
def test_a_default_stands_in_for_a_missing_environment_variable(
    load: Load, monkeypatch: pytest.MonkeyPatch, value: str | None, expected: float
) -> None:
    monkeypatch.delenv("SHOP_SCALE", raising=False)
    if value is not None:
        monkeypatch.setenv("SHOP_SCALE", value)
    demo = load("source: {demo: {scale: '${SHOP_SCALE:-2.5}'}}\n" + TABLES).source.demo
    assert demo is not None
    assert demo.scale == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0", timedelta(0)),
        ("'0'", timedelta(0)),
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(load: Load, written: str, expected: timedelta) -> None:
    assert load(SOURCE + INCREMENTAL + f"  lag: {written}\n").tables[0].lag == expected


@pytest.mark.parametrize("written", ["1", "10000"])
def test_a_lag_may_count_values_of_an_integer_cursor(load: Load, written: str) -> None:
    assert load(SOURCE + INCREMENTAL + f"  lag: {written}\n").tables[0].lag == int(written)


@pytest.mark.parametrize(
    "written", ["-5", "'5'", "-5m", "1.5h", "m", "''", "10 m", "10M", "[]", "²m", "0.0"]
)
def test_a_bad_duration_is_refused_with_examples(load: Load, path: Path, written: str) -> None:
    assert refused(load, SOURCE + INCREMENTAL + f"  lag: {written}\n").message == (
        f"{path}:6: tables[0].lag: expected a duration such as 30s, 10m, 2h or 1d,"
        " or a whole number for an integer cursor."
    )


@pytest.mark.parametrize(
    ("table", "expectation"),
    [
        ("mode: incremental", "expected a cursor, since mode is incremental"),
        ("cursor: updated_at", "expected no cursor, since mode is full_refresh"),
        (
            "key: [id], columns: {exclude: [id]}",
            "expected key, cursor and partition_by as they are; id",
        ),
        (
            "key: [id], columns: {mask: {id: redact}}",
            "expected key, cursor and partition_by as they are; id",
        ),
        (
            "columns: {mask: {a: redact}}, rules: {accepted: {a: [x]}}",
            "expected no rules.accepted of a, which is masked before it is judged",
        ),
        (
            "key: [id], columns: {as: {id: text}}",
            "expected key, cursor and partition_by as they are; id",
        ),
        (
            "mode: incremental, cursor: at, columns: {exclude: [at]}",
            "expected key, cursor and partition_by as they are; at",
        ),
        (
            "mode: partition_overwrite, partition_by: at, columns: {exclude: [at]}",
            "expected key, cursor and partition_by as they are; at",
        ),
        ("mode: partition_overwrite", "expected partition_by, since mode is partition_overwrite"),
        ("append_only: true", "expected no append_only without mode: incremental"),
        (
            "mode: incremental, cursor: at, append_only: true, deletes: soft",
            "expected deletes: ignore beside append_only or partition_by, not soft",
        ),
        ("partition_by: day", "expected no partition_by without mode: partition_overwrite"),
        ("partitions: 3", "expected no partitions without partition_by"),
        ("partition_unit: day", "expected no partition_unit without partition_by"),
        ("lag: 1h", "expected no lag without a cursor"),
        ("cursor_timezone: UTC", "expected no cursor_timezone without a cursor"),
        (
            "mode: partition_overwrite, partition_by: day, cursor: at, partitions: 3",
            "expected no partitions beside a cursor",
        ),
        (
            "mode: incremental, cursor: at, cursor_timezone: Europe/Berlin",
            "expected a lag of at least 1:00:00 (h:mm:ss), since the clocks of Europe/Berlin",
        ),
        (
            "mode: incremental, cursor: at, cursor_timezone: Antarctica/Troll, lag: 1h",
            "expected a lag of at least 2:00:00 (h:mm:ss), since the clocks of Antarctica/Troll",
        ),
    ],
)
def test_settings_of_a_table_that_contradict_each_other_are_refused(
    load: Load, path: Path, table: str, expectation: str
) -> None:
    error = refused(load, SOURCE + f"tables:\n- {{name: a, {table}}}\n")
    assert error.message.startswith(f"{path}:3: tables[0]: {expectation}")


@pytest.mark.parametrize("zone", ["Berlin", "", "/etc/passwd", "Europe", "+01:00", "cet "])
def test_a_time_zone_that_nobody_knows_is_refused(load: Load, path: Path, zone: str) -> None:
    error = refused(load, SOURCE + INCREMENTAL + f"  cursor_timezone: '{zone}'\n")
    assert error.message.startswith(f"{path}:6: tables[0].cursor_timezone: expected a time zone")


@pytest.mark.parametrize(
    ("zone", "lag"), [("UTC", "0"), ("Asia/Kolkata", "0"), ("Europe/Berlin", "1h")]
)
def test_a_lag_covers_what_clocks_are_set_back(load: Load, zone: str, lag: str) -> None:
    load(SOURCE + INCREMENTAL + f"  cursor_timezone: {zone}\n  lag: {lag}\n")


def test_no_copy_replaces_a_table_of_the_ledger() -> None:
    assert set(COLUMNS) == LEDGER


@pytest.mark.parametrize("second", ["users", "crm.users"])
def test_two_tables_with_one_target_are_refused(load: Load, second: str) -> None:
    error = refused(load, SOURCE + f"tables: [{{name: users}}, {{name: {second}}}]\n")
    assert "expected one table for each copy; users has several" in error.message


def test_two_tables_whose_targets_differ_by_case_alone_are_refused(load: Load) -> None:
    refused(load, SOURCE + "tables: [{name: users}, {name: crm.Users}]\n")


SHARED = "warehouse: {kind: snowflake}\npublish: together\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "a DuckDB file belongs to one process"), (SHARED, "one transaction belongs to one")],
)
def test_workers_are_refused_what_belongs_to_one_process(
    load: Load, text: str, reason: str
) -> None:
    assert reason in refused(load, SOURCE + TABLES + "execution: workers\n" + text).message


def test_the_number_of_wrong_settings_is_told(load: Load) -> None:
    error = refused(load, SOURCE + "tables: [{name: a, x: 1, y: 2}]\n")
    assert "2 in this file are wrong" in error.remedy


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("key: ['']", "key[0]: string should have at least 1 character"),
        ("key: [a, a]", "key: expected each name once; a is there twice"),
        ("mode: incremental, cursor: ''", "cursor: string should have at least 1 character"),
        ("rules: {accepted: {a: []}}", "rules.accepted.a: list should have at least 1 item"),
        ("rules: {not_null: [true]}", "rules.not_null[0]: input should be a valid string"),
        ("rules: {range: {a: {}}}", "rules.range.a: expected min, max or both"),
        ("rules: {range: {a: {min: true}}}", "rules.range.a.min: expected no true or false"),
        ("rules: {length: {a: {min: -1}}}", "rules.length.a.min: input should be greater"),
        ("rules: {regex: {a: ''}}", "rules.regex.a: string should have at least 1 character"),
        ("rules: {expression: {regex: a > 1}}", "rules: expected another name than regex"),
        ("breaker: {max_growth_ratio: -1}", "breaker.max_growth_ratio: input should be greater"),
        ("breaker: {min_rows: true}", "breaker.min_rows: expected no true or false"),
        ("partitions: true", "partitions: expected no true or false"),
        ("lag: false", "lag: expected no true or false"),
        ("breaker: {max_null_ratio: true}", "breaker.max_null_ratio: expected no true or false"),
        ("breaker: {max_null_ratio: .nan}", "breaker.max_null_ratio.*: input should be"),
    ],
)
def test_a_value_that_can_mean_nothing_is_refused(load: Load, setting: str, complaint: str) -> None:
    error = refused(load, SOURCE + f"tables: [{{name: a, {setting}}}]\n")
    assert f": tables[0].{complaint}" in error.message
    assert "are wrong" not in error.remedy


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("https://a.example/b", "expected a folder, s3://bucket/path or gs://bucket/path"),
        ("s3://", "expected a folder, s3://bucket/path or gs://bucket/path"),
        ("s3://key:secret@bucket", "expected a URL without credentials or options"),
        ("gs://bucket/a?token=b", "expected a URL without credentials or options"),
        ("", "string should have at least 1 character"),
    ],
)
def test_a_store_that_can_not_be_is_refused(load: Load, place: str, complaint: str) -> None:
    error = refused(load, SOURCE + TABLES + f"dead_letters: {{path: '{place}'}}\n")
    assert f": dead_letters.path: {complaint}" in error.message
    assert "secret" not in str(error)


def test_accepted_numbers_are_taken_as_they_are_spelled(load: Load) -> None:
    table = load(SOURCE + "tables: [{name: a, rules: {accepted: {code: [1, x]}}}]\n").tables[0]
    assert table.rules.accepted == {"code": ["1", "x"]}


def test_the_ends_of_a_range_are_taken_as_they_are_spelled(load: Load) -> None:
    ends = "{n: {min: 0, max: 0.5}, d: {min: 2026-01-31}, at: {max: 2026-01-31 09:30:00+01:00}}"
    table = load(SOURCE + f"tables: [{{name: a, rules: {{range: {ends}}}}}]\n").tables[0]
    assert [(ends.min, ends.max) for ends in table.rules.range.values()] == [
        ("0", "0.5"),
        ("2026-01-31", None),
        (None, "2026-01-31 09:30:00+01:00"),
    ]


def test_the_field_of_a_wrong_null_ratio_is_as_written_in_the_file(load: Load) -> None:
    text = "tables: [{name: a, breaker: {max_null_ratio: {id: 2}}}]\n"
    assert "tables[0].breaker.max_null_ratio.id: input" in refused(load, SOURCE + text).message


@pytest.mark.parametrize("spell", [repr, str, Config.model_dump_json])
def test_a_secret_is_never_shown(load: Load, spell: Callable[[Config], str]) -> None:
    assert SECRET not in spell(load(SOURCE + TABLES))


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://app:{SECRET}@db/shop",
        f"postgresql://app:{SECRET}@[db/shop",
        f"postgresql://app:p@{SECRET}@db/shop",
        f"postgresql://app:p@{SECRET}@db:1/shop",
        f"postgresql://app:{SECRET}/tail@db/shop",
        f"postgresql://app:1/{SECRET}@db/shop",
        f"postgresql://app:a?b@{SECRET}@db/shop",
    ],
)
def test_a_url_that_is_not_as_libpq_reads_it_is_refused_without_its_secret(
    load: Load, url: str
) -> None:
    error = refused(load, f"source: {{url: '{url}'}}\n" + TABLES)
    assert SECRET not in f"{error} {error!r}"


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ({}, {}),
        (0.1, {"a": 0.1, "b": 0.1}),
        ({"b": 0.2}, {"b": 0.2}),
        ({"*": 0.1, "b": 0.2}, {"a": 0.1, "b": 0.2}),
    ],
)
def test_a_null_ratio_is_for_every_column_or_for_those_named(
    limit: float | dict[str, float], expected: dict[str, float]
) -> None:
    assert Breaker.model_validate({"max_null_ratio": limit}).null_ratios(["a", "b"]) == expected


def test_the_copy_is_named_without_the_schema(load: Load) -> None:
    tables = load(SOURCE + "tables: [{name: crm.users}, {name: orders}]\n").tables
    assert [table.target for table in tables] == ["users", "orders"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("fail", {"id": "fail", "at": "fail"}),
        ('"null"', {"id": "null", "at": "null"}),
        ("{at: fail}", {"id": "dead_letter", "at": "fail"}),
        ('{"*": fail, at: "null"}', {"id": "fail", "at": "null"}),
    ],
)
def test_what_happens_to_values_that_do_not_fit_is_said_for_every_column_or_for_those_named(
    load: Load, written: str, expected: dict[str, str]
) -> None:
    [table] = load(SOURCE + f"tables: [{{name: a, unrepresentable: {written}}}]\n").tables
    assert {name: table.policy(name) for name in expected} == expected
    assert Table(name="a").policy("id") == "dead_letter"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("null", 'unrepresentable.*: expected dead_letter, "null" in quotes, or fail'),
        ("", 'unrepresentable.*: expected dead_letter, "null" in quotes, or fail'),
        ("{at: null}", 'unrepresentable.at: expected dead_letter, "null" in quotes, or fail'),
        ("drop", "unrepresentable.*: input should be 'dead_letter', 'null' or 'fail'"),
        ("{at: drop}", "unrepresentable.at: input should be"),
    ],
)
def test_a_word_for_what_does_not_fit_is_never_taken_for_another(
    load: Load, written: str, told: str
) -> None:
    text = SOURCE + f"tables:\n  - name: a\n    unrepresentable: {written}\n"
    assert told in refused(load, text).message


def test_a_masked_column_is_text_and_no_other_type(load: Load) -> None:
    columns = "{mask: {card: redact}, as: {card: bigint}}"
    error = refused(load, SOURCE + f"tables: [{{name: a, columns: {columns}}}]\n")
    assert "columns: expected no other type for card, which is text once masked" in error.message
