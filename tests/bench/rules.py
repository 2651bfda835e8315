"""`python -m tests.bench.rules`: what it costs to hold every row of a clean table against rules.

The same transfer with three rules and without, in turns.
"""

import argparse
from functools import partial
from typing import Any

from tests.bench.__main__ import HOME, orders
from tests.bench.runs import in_turns, transfer

RULES = {
    "not_null": ["customer_id"],
    "accepted": {"status": ["placed", "shipped", "delivered", "returned"]},
    "range": {"total_amount": {"min": 0, "max": 1000}},
}


def measure(rows: int, rounds: int) -> None:
    """Prints the medians of both, and of their ratios round by round."""
    url, table = orders(rows)

    def seconds(rules: dict[str, Any]) -> float:
        return transfer(url, table, HOME / "rules.duckdb", rules=rules).seconds

    without, held, ratio = in_turns(rounds, partial(seconds, {}), partial(seconds, RULES))
    print(f"{rows:,} rows, medians of {rounds} rounds")
    print(f"without rules: {without:.2f} s")
    print(f"three rules: {held:.2f} s, {ratio:.3f} times as long")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rules")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    measure(options.rows, options.rounds)


if __name__ == "__main__":
    main()
