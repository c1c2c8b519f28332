"""Exports as other programs read them: parquet against csv, hftbacktest's rows in its own checks and its own backtest.

    python exports.py FOLDER SYMBOL TICK LOT

FOLDER holds KIND.csv and KIND.parquet of one session for every kind, the folder trades/ of the same session split by
venue, symbol and day, and market.npz. Prints each claim that held; the first that does not ends it.
"""

import csv
import importlib.util
import sys
from decimal import Decimal, localcontext
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet

KINDS = "trades book bbo feed orders fills decisions equity risk funding limits".split()


def plain(value):
    """A value as csv would have it, numbers without zeros at their end."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        with localcontext() as context:
            context.prec = 60
            return format(value.normalize() + 0, "f")
    return value


def same(value, text):
    if isinstance(value, float):
        return value == float(text)
    if isinstance(value, int):
        return value == int(text)
    if isinstance(value, Decimal):
        with localcontext() as context:
            context.prec = 60
            return value == Decimal(text)
    return plain(value) == text


def claim(words):
    print(f"ok  {words}", flush=True)


def agree(name, columns, rows, texts):
    assert len(rows) == len(texts), f"{name}: {len(rows)} rows, csv has {len(texts)}"
    for n, (row, text) in enumerate(zip(rows, texts)):
        for column, value, cell in zip(columns, row, text):
            assert same(value, cell), f"{name}:{n + 1}: {column} is {value!r}, in csv {cell!r}"


def read_csv(path):
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


def parquet(folder):
    total = 0
    for kind in KINDS:
        header, texts = read_csv(folder / f"{kind}.csv")
        table = pa.parquet.read_table(folder / f"{kind}.parquet")
        assert table.column_names == header, f"{kind}: {table.column_names}"
        agree(f"pyarrow {kind}", header, list(zip(*(column.to_pylist() for column in table.columns))), texts)
        found = duckdb.sql(f"select * from '{folder / kind}.parquet'")
        assert found.columns == header
        agree(f"duckdb {kind}", header, found.fetchall(), texts)
        total += len(texts)
    claim(f"pyarrow and duckdb read {total} rows of {len(KINDS)} kinds as csv has them")

    header, texts = read_csv(folder / "trades.csv")
    price, qty = header.index("price"), header.index("qty")
    with localcontext() as context:
        context.prec = 60
        turnover = sum(Decimal(row[price]) * Decimal(row[qty]) for row in texts)
    found = duckdb.sql(f"select sum(price * qty) from '{folder}/trades.parquet'").fetchall()[0][0]
    assert same(found, str(turnover)), f"{found} instead of {turnover}"
    claim(f"duckdb's sum of price times quantity is exact: {plain(turnover)}")

    pattern = f"{folder}/trades/*/*/*/*.parquet"
    by_seq = duckdb.sql(f"select {', '.join(header)} from read_parquet('{pattern}', hive_partitioning=true) order by seq")
    agree("duckdb trades/", header, by_seq.fetchall(), texts)
    split = pa.dataset.dataset(folder / "trades", partitioning="hive").to_table()
    assert sorted(split.column_names) == sorted([*header, "date"]), split.column_names
    split = split.sort_by("seq").select(header)
    agree("pyarrow trades/", header, list(zip(*(column.to_pylist() for column in split.columns))), texts)
    claim(f"trades/ split by venue, symbol and day is the same {len(texts)} trades")


def frames(folder):
    header, texts = read_csv(folder / "trades.csv")
    if importlib.util.find_spec("pandas"):
        import pandas

        frame = pandas.read_parquet(folder / "trades.parquet")
        agree("pandas trades", header, list(frame.itertuples(index=False, name=None)), texts)
        claim("pandas reads the trades")
    else:
        print("SKIPPED: PANDAS IS NOT HERE", file=sys.stderr)
    if importlib.util.find_spec("polars"):
        import polars

        agree("polars trades", header, polars.read_parquet(folder / "trades.parquet").rows(), texts)
        claim("polars reads the trades")
    else:
        print("SKIPPED: POLARS IS NOT HERE", file=sys.stderr)


def hftbacktest(folder, symbol, tick, lot):
    if not importlib.util.find_spec("hftbacktest"):
        print("SKIPPED: HFTBACKTEST IS NOT HERE, ITS ROWS WERE NOT CHECKED BY ITS OWN PROGRAM", file=sys.stderr)
        return
    import numpy
    from hftbacktest import BacktestAsset, HashMapMarketDepthBacktest
    from hftbacktest.data import validate_event_order
    from hftbacktest.types import DEPTH_EVENT, LOCAL_EVENT, TRADE_EVENT, event_dtype

    path = folder / "market.npz"
    with numpy.load(path) as archive:
        rows = archive["data"]
    assert rows.dtype == event_dtype, rows.dtype
    validate_event_order(rows)
    header, texts = read_csv(folder / "trades.csv")
    heard = rows[(rows["ev"] & LOCAL_EVENT == LOCAL_EVENT) & (rows["ev"] & 0xFF == TRADE_EVENT)]
    price, qty = header.index("price"), header.index("qty")
    theirs = [(float(row[price]), float(row[qty])) for row in texts]
    assert theirs == list(zip(heard["px"], heard["qty"])), "its trades are others than csv's"
    claim(f"numpy and hftbacktest's validate_event_order read {len(rows)} rows, {len(heard)} of them trades")

    asset = (
        BacktestAsset()
        .data([str(path)])
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(float(tick))
        .lot_size(float(lot))
    )
    backtest = HashMapMarketDepthBacktest([asset])
    while backtest.elapse(60_000_000_000) == 0:
        pass
    depth = backtest.depth(0)
    _, book = read_csv(folder / "book.csv")
    best = {side: next(row for row in book if row[1] == symbol and row[2] == side) for side in ("bid", "ask")}
    # Its prices are ticks times a float.
    ticks = [round(depth.best_bid / float(tick)), round(depth.best_ask / float(tick))]
    assert ticks == [round(float(best[side][4]) / float(tick)) for side in ("bid", "ask")], (
        f"{depth.best_bid} / {depth.best_ask}, our book ends at {best['bid'][4]} / {best['ask'][4]}"
    )
    claim(f"a backtest over market.npz ends at {depth.best_bid} / {depth.best_ask}, as our book does")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    parquet(folder)
    frames(folder)
    hftbacktest(folder, *sys.argv[2:5])
