"""The demo's shop in its real server: what it holds, what a day does, and how the server ends."""

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tasks.errors import PermanentError
from tasks.source import demo, embedded
from tests.conftest import server_folder

SCALE = 0.01
NUMBERS = itertools.count()
ROOT = Path(__file__).parents[2]
BROKEN = """
    customer_id is null or status is null
    or status not in ('placed', 'shipped', 'delivered', 'returned')
"""


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with server_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def server(directory: Path) -> str:
    return embedded.start(directory)


@contextmanager
def database(server: str) -> Iterator[str]:
    name = f"shop_{next(NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
        yield server.replace("/postgres?", f"/{name}?")
        admin.execute(f"drop database {name} with (force)".encode())


@pytest.fixture
def empty(server: str) -> Iterator[str]:
    with database(server) as url:
        yield url


@pytest.fixture
def shop(empty: str) -> str:
    demo.seed(empty, SCALE)
    return empty


@pytest.fixture(scope="module")
def seeded_shop(server: str) -> Iterator[str]:
    """One shop for the tests that only read."""
    with database(server) as url:
        demo.seed(url, SCALE)
        yield url


def ask(url: str, query: str) -> Any:
    """Return the first row of the answer, or its only value."""
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row if len(row) > 1 else row[0]


def sizes(url: str) -> dict[str, int]:
    return {
        table: ask(url, f"select count(*) from {table}")
        for table in ("users", "products", "orders", "transactions")
    }


def python(code: str) -> subprocess.Popen[str]:
    """Run code in a process of its own, which does not see this one's servers."""
    program = f"import sys, time, pathlib, psycopg\nfrom tasks.source import demo, embedded\n{code}"
    return subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_seed_fills_the_shop_to_its_scale(seeded_shop: str) -> None:
    assert sizes(seeded_shop) == {
        "users": 200,
        "products": 10,
        "orders": 1000,
        "transactions": 2000,
    }


def test_a_second_seed_changes_nothing(seeded_shop: str) -> None:
    assert demo.seed(seeded_shop, SCALE * 2) is False
    assert sizes(seeded_shop)["orders"] == 1000


@pytest.mark.parametrize(
    "wrong",
    [
        f"from orders where {BROKEN}",
        "from orders left join users on user_id = customer_id where user_id is null",
        "from transactions left join orders using (order_id) where orders is null",
        "from transactions left join products using (product_id) where products is null",
        "from orders where updated_at > now() or updated_at::date < order_date",
        "from users where updated_at > now() or updated_at < signed_up_at",
        "from transactions where amount <= 0 or updated_at > now() or updated_at < occurred_at",
        "from orders where currency <> demo.currency(demo.country(customer_id))",
    ],
)
def test_a_seed_makes_no_mistakes(seeded_shop: str, wrong: str) -> None:
    assert ask(seeded_shop, f"select count(*) {wrong}") == 0


@pytest.mark.parametrize(
    "wanted",
    [
        "users where country is null",
        "users where preferences is null",
        "users where preferences = '{}'",
        "users where preferences #> '{theme,font,size}' is not null",
        "users where preferences ->> 'note' like E'%\\n%\"%\\\\\\\\%'",
        "users where tags is null",
        "users where tags = '{}'",
        "users where array_to_string(tags, '|') like '%\"%'",
        "users where array_position(tags, null) is not null",
        "users where full_name like '%''%'",
        "users where full_name ~ '[é-ž]'",
        "users where full_name ~ '[😀-🫿🌀-🗿]'",
        "orders where total_amount < 0",
        "orders where total_amount is null",
        "orders where is_gift is null",
        "transactions where details is null",
        "products where name like '%\"%' or name like '%\\%'",
    ],
)
def test_a_seed_holds_values_that_are_hard_to_copy(seeded_shop: str, wanted: str) -> None:
    found = ask(seeded_shop, f"select count(*) from {wanted}")
    assert 0 < found < 1000


def test_an_order_costs_what_was_paid_for_it(shop: str) -> None:
    differing = """
        select count(*)
        from orders
        join (
            select order_id, sum(amount) filter (where kind = 'payment') as paid,
                coalesce(sum(amount) filter (where kind = 'refund'), 0) as refunded
            from transactions group by order_id
        ) as money using (order_id)
        where abs(total_amount) <> paid
            or refunded <> case status when 'returned' then paid else 0 end
    """
    assert ask(shop, differing) == 0
    demo.pass_a_day(shop)
    assert ask(shop, differing) == 0


def test_a_seed_that_is_cut_off_leaves_nothing(empty: str) -> None:
    failures: list[BaseException] = []

    def seed() -> None:
        try:
            demo.seed(empty, 1)
        except psycopg.OperationalError as error:
            failures.append(error)

    seeding = threading.Thread(target=seed)
    seeding.start()
    cut = """
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and query like '%demo.sell(%' and state = 'active'
            and pid <> pg_backend_pid() and query_start < clock_timestamp() - interval '0.3 s'
    """
    with psycopg.connect(empty, autocommit=True) as admin:
        while seeding.is_alive() and admin.execute(cut.encode()).fetchone() is None:
            time.sleep(0.02)
    seeding.join()

    assert failures
    assert ask(empty, "select count(*) from pg_namespace where nspname = 'demo'") == 0
    assert ask(empty, "select to_regclass('users')") is None
    assert demo.seed(empty, SCALE) is True


def test_a_day_brings_new_rows_and_changes_old_ones(shop: str) -> None:
    before = sizes(shop)
    seeded = ask(shop, "select clock_timestamp()")
    with psycopg.connect(shop) as connection:
        connection.execute("create table old_orders as table orders")
        connection.execute("create table old_products as table products")

    demo.pass_a_day(shop)

    after = sizes(shop)
    assert after["orders"] - before["orders"] == 400
    assert after["users"] - before["users"] == 1
    assert after["transactions"] - before["transactions"] >= 800
    moved = "orders join old_orders as old using (order_id) where old.status <> orders.status"
    assert ask(shop, f"select count(*) from {moved}") == 10
    assert ask(shop, f"select count(*) from {moved} and orders.updated_at <= '{seeded}'") == 0
    priced = (
        "products join old_products as old using (product_id) where old.price <> products.price"
    )
    assert ask(shop, f"select count(*) from {priced} and products.updated_at > '{seeded}'") == 1


def test_all_that_a_day_writes_bears_the_time_of_its_transaction(shop: str) -> None:
    seeded = ask(shop, "select clock_timestamp()")
    demo.pass_a_day(shop)
    stamps = " union ".join(
        f"select updated_at from {table} where updated_at > '{seeded}'" for table in sizes(shop)
    )
    assert ask(shop, f"select count(*) from ({stamps}) as stamps") == 1


def test_a_day_breaks_a_few_of_its_orders(shop: str) -> None:
    demo.pass_a_day(shop)
    newest = "orders where updated_at = (select max(updated_at) from orders)"
    assert ask(shop, f"select count(*) from {newest} and customer_id is null") == 1
    assert ask(shop, f"select count(*) from {newest} and status = 'lost in transit'") == 1
    assert ask(shop, f"select 2.0 / count(*) < 0.005 from {newest}") is True


def test_days_go_on_where_the_last_one_ended_and_repair_its_mistakes(shop: str) -> None:
    broken = []
    for _ in range(6):
        demo.pass_a_day(shop)
        broken.append(ask(shop, f"select count(*) from orders where {BROKEN}"))
    assert ask(shop, "select count(distinct order_id), max(order_id) from orders") == (3400, 3400)
    assert broken[0] == 2
    assert max(broken) < 8
    assert ask(shop, "select count(distinct customer_id) > 100 from orders where order_id > 1000")


def test_a_bad_day_breaks_no_single_row_and_the_next_day_repairs_it(shop: str) -> None:
    def unknown_countries() -> float:
        return float(ask(shop, "select avg((country is null)::int) from users"))

    future = "select count(*) from orders where order_date > current_date + 1"
    seeded = unknown_countries()
    demo.pass_a_day(shop, bad=True)
    assert seeded < 0.05
    assert unknown_countries() > 0.2
    assert ask(shop, future) > 5
    assert ask(shop, f"select count(*) from orders where {BROKEN}") == 2

    demo.pass_a_day(shop)
    assert unknown_countries() < 0.05
    assert ask(shop, future) == 0


def test_late_rows_appear_at_the_end_and_say_that_they_are_older(shop: str) -> None:
    with demo.late_shopper(shop):
        night = ask(shop, "select clock_timestamp()")
        assert sizes(shop)["orders"] == 1000
    assert sizes(shop)["orders"] == 1003
    assert sizes(shop)["transactions"] == 2006
    newest = "select max(updated_at) from orders where order_id > 1000"
    assert ask(shop, newest) < night
    assert ask(shop, f"select count(*) from orders where updated_at = ({newest})") == 4


def test_a_shopper_pays_even_when_the_night_fails(shop: str) -> None:
    with pytest.raises(ZeroDivisionError), demo.late_shopper(shop):
        _ = 1 / 0
    assert sizes(shop)["orders"] == 1003


def test_a_shopper_who_is_cut_off_loses_only_the_late_rows(shop: str) -> None:
    cut = """
        select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and state = 'idle in transaction'
    """
    with demo.late_shopper(shop):
        assert ask(shop, cut) == 1
    assert sizes(shop)["orders"] == 1000


def test_each_night_after_the_first_begins_with_a_day(directory: Path) -> None:
    with demo.night(directory, scale=SCALE) as url:
        assert sizes(url)["orders"] == 1000
    with demo.night(directory, scale=SCALE) as url:
        assert sizes(url)["orders"] == 1000 + 3 + 400


def test_a_second_process_joins_the_server_and_leaves_it_running(
    directory: Path, server: str
) -> None:
    since = "select pg_postmaster_start_time()::text"
    joined = python(
        f"url = embedded.start(pathlib.Path({str(directory)!r}))\n"
        f"print(psycopg.connect(url).execute({since!r}).fetchone()[0])"
    )
    assert joined.communicate(timeout=20)[0].strip() == ask(server, since)
    assert embedded.start(directory) == server
    assert ask(server, "select 1") == 1


def test_a_killed_process_leaves_a_server_that_the_next_one_stops(open_path: Path) -> None:
    home = open_path / "my projects" / ("deep" * 30)
    start = f"url = embedded.start(pathlib.Path({str(home)!r})); print(url, flush=True)"
    killed = python(f"{start}\ntime.sleep(60)")
    url = first_line(killed)
    killed.kill()
    killed.communicate()
    assert ask(url, "select 1") == 1

    following = python(start)
    assert following.communicate(timeout=20)[0].strip() == url
    with pytest.raises(psycopg.OperationalError):
        ask(url, "select 1")


def test_a_server_that_cannot_start_names_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PermanentError, match=r"did not start: .*File exists.*Delete .*--config"):
        embedded.start(tmp_path / "file")
