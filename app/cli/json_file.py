"""The doors without a database: a JSON file in, every wrong field named; schemas and examples out of the package."""

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import typer

from app.cli.problem import PROBLEM

T = TypeVar("T")
WRONG_CALL = 2
_BIGGEST_FILE = 64 * 1024 * 1024


def packaged(package: str, folder: str, name: str) -> str:
    """A JSON file that comes with a room: `folder` is "schemas" or "examples"."""
    return files(package).joinpath(folder, f"{name}.json").read_text(encoding="utf-8")


def read_value(path: Path, parse: Callable[[object], T]) -> T:
    """The value that `path` describes. Raises InvalidInput naming every wrong field."""
    return parse(read_json(path))


def told_value(path: Path, parse: Callable[[object], T]) -> T:
    """The value that `path` describes; where it cannot be taken, one line a wrong field, and exit code 3."""
    from billing.pricing.fields import InvalidInput

    try:
        return read_value(path, parse)
    except InvalidInput as error:
        for problem in error.problems:
            typer.echo(f"{path.name}: {problem}", err=True)
        raise typer.Exit(PROBLEM) from None


def read_json(path: Path) -> object:
    """The file as JSON values. Raises InvalidInput for what is too large, no JSON, or has a field twice."""
    from billing.pricing.fields import InvalidInput, Problem

    if path.stat().st_size > _BIGGEST_FILE:
        raise InvalidInput([Problem("", f"is larger than {_BIGGEST_FILE // 1024**2} MiB")])
    try:
        return json.loads(path.read_bytes(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InvalidInput([Problem("", f"is not JSON: {error}")]) from error


def print_json(value: object) -> None:
    """`value` as people and programs read it."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field is there twice in one object")
    return found
