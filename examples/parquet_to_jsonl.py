#!/usr/bin/env python3
"""Writes the rows of Parquet files, or of the Arrow files that the `datasets` library keeps, as JSON lines.

    python3 parquet_to_jsonl.py FILE... > data.jsonl
    python3 parquet_to_jsonl.py FILE... | zstd > data.jsonl.zst

Slipstream has no reader for Parquet (Debian 12 has no library for it) and reads JSON lines instead. The script needs
pyarrow (`pip install pyarrow`), or pandas with one of its Parquet readers. Dates become texts; what JSON cannot hold
(raw bytes, such as pictures, and numbers that are none) ends it with the file, row and column. Columns can be left out
with --drop, and chosen with --columns: --columns prompt,answer.
"""
import argparse
import datetime
import decimal
import json
import sys


def batches_of_pyarrow(pyarrow, file, columns):
    """Lists of rows, of as many at a time as fit the memory easily."""
    import pyarrow.parquet

    with open(file, "rb") as opened:
        head = opened.read(4)
    if head == b"PAR1":
        for batch in pyarrow.parquet.ParquetFile(file).iter_batches(batch_size=1000, columns=columns):
            yield batch.to_pylist()
        return
    with pyarrow.memory_map(file) as opened:
        try:
            reader = pyarrow.ipc.open_stream(opened)
            batches = iter(reader)
        except pyarrow.ArrowInvalid:  # the other of the two formats
            opened.seek(0)
            reader = pyarrow.ipc.open_file(opened)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches))
        for batch in batches:
            yield (batch.select(columns) if columns else batch).to_pylist()


def plain(value):
    """What pandas and numpy made of a value, as Python's own."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and value != value:  # pandas's word for a missing value
        return None
    return value


def batches_of_pandas(pandas, file, columns):
    table = pandas.read_parquet(file, columns=columns)
    for row in table.astype(object).to_dict(orient="records"):
        yield [{name: plain(value) for name, value in row.items()}]


def batches(file, columns):
    try:
        import pyarrow

        return batches_of_pyarrow(pyarrow, file, columns)
    except ImportError:
        pass
    try:
        import pandas
    except ImportError:
        sys.exit("parquet_to_jsonl.py: error: neither pyarrow nor pandas is installed; `pip install pyarrow`")
    return batches_of_pandas(pandas, file, columns)


def as_json(value):
    if isinstance(value, (datetime.date, datetime.datetime, datetime.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def written(row, place):
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False, default=as_json)
    except (TypeError, ValueError):
        for name, value in row.items():
            try:
                json.dumps(value, allow_nan=False, default=as_json)
            except (TypeError, ValueError) as problem:
                sys.exit(f"{place}: error: column {name}: {problem}; leave it out with --drop {name}")
        raise


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--columns", type=lambda text: text.split(","), help="these only, with commas between")
    parser.add_argument("--drop", type=lambda text: text.split(","), default=[], help="all but these")
    arguments = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")
    for file in arguments.files:
        number = 0
        for rows in batches(file, arguments.columns):
            for row in rows:
                number += 1
                kept = {name: value for name, value in row.items() if name not in arguments.drop}
                print(written(kept, f"{file}: row {number}"))


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as problem:  # pyarrow's errors are of these kinds
        sys.exit(f"parquet_to_jsonl.py: error: {problem}")
