"""What is read from outside: whole, of its limits, or refused by name."""

import gzip
import json
from collections.abc import Callable

import pytest

from metering.telemetry.segment import BadSegment, Segment, effective, parse, unpack
from metering.telemetry.stretch import NoPolicy, Stored, stretches
from tests.metering.telemetry.builders import agent, packed, seen, text_of, working


def segment() -> Segment:
    return agent().segment(working(seconds=60))


def test_a_segment_is_read_as_it_was_packed() -> None:
    one = segment()
    assert parse(unpack(packed(one))) == one


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda lines: [], "line"),
        (lambda lines: [lines[0].replace('"format":1', '"format":2'), *lines[1:]], "format"),
        (lambda lines: [lines[0].replace('"number":1', '"number":0'), *lines[1:]], "below 1"),
        (lambda lines: [lines[0].replace('"number":1', '"number":true'), *lines[1:]], "whole number"),
        (lambda lines: [lines[0], *lines[2:]], "does not follow"),
        (lambda lines: [*lines, "[1,2]"], "cannot be read"),
        (lambda lines: [*lines, json.dumps([999, 1, 1, []])], "does not follow"),
        (lambda lines: [lines[0], lines[1].replace('"power",true', '"power",1.5'), *lines[2:]], "whole number"),
        (lambda lines: [lines[0], lines[1].replace('"power"', '""'), *lines[2:]], "no name"),
        (lambda lines: ["[" * 100_000], "line 1"),
    ],
)
def test_what_is_no_segment_is_refused_by_name(change: Callable[[list[str]], list[str]], why: str) -> None:
    lines = text_of(segment()).decode().splitlines()
    with pytest.raises(BadSegment, match=why):
        parse("".join(line + "\n" for line in change(lines)).encode())


def test_a_bomb_is_not_unpacked() -> None:
    with pytest.raises(BadSegment, match="unpacks to at most"):
        unpack(gzip.compress(b"0" * 10_000_000), limit=1_000_000)
    good = packed(segment())
    for broken in (b"", b"no gzip", good[:-4], good + b"x", good + good):
        with pytest.raises(BadSegment):
            unpack(broken)


def test_rows_take_effect_not_before_the_watermark_and_say_whether_they_are_news() -> None:
    one = agent()
    first = one.segment([([seen(1, "feed", 5), seen(1, "feed", 5), seen(1, "feed", 6)], seen(10, "x", 0).source_time)])
    later = [seen(3, "feed", 7), seen(1, "feed", 5), seen(12, "feed", 6)]
    second = one.segment([(later, seen(20, "x", 0).source_time)])
    assert [news for _, _, _, news in effective(first)] == [True, False, True]
    found = list(effective(second))
    assert [(taken[2], news) for _, _, taken, news in found] == [(5, False), (7, True), (6, True)]
    assert [at_ms - first.until_ms for _, at_ms, _, _ in found] == [0, 0, 2000]


def test_segments_follow_one_another_without_a_hole_and_under_one_policy() -> None:
    one = agent()
    stored = [Stored.of(one.segment(working(seconds=60, start=60 * number))) for number in range(5)]
    whole = stretches(stored)
    assert [(run.first, run.last) for run in whole] == [(1, 5)]
    without = stretches([*stored[:2], *stored[3:]])
    assert [(run.first, run.last) for run in without] == [(1, 2), (4, 5)]
    assert without[1].from_ms == stored[2].until_ms
    header = {**json.loads(text_of(one.segments[0]).split(b"\n")[0]), "policy": {}}
    with pytest.raises(NoPolicy):
        Stored.of(parse(json.dumps(header).encode() + b"\n"))
