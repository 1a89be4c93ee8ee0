"""What an issuer's entries in the registry say of its tables, ready for reading.

An issuer is described by data alone: the names of its segments (``segments.csv``), what its
releases call metrics, totals and other rows (``printed_names.csv``). Names are compared by their
letters, in lower case: text layers part words anywhere ("Inter -segment").
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from orchestration.registry import Registry
from orchestration.registry.entries import (
    Company,
    MetricEntry,
    PrintedName,
    Segment,
    StatedFigure,
    Structure,
)

#: In an alias: the heading that a row stands under, then its own words.
UNDER = " > "
_TOTAL = "total"
#: Rows that begin so are inside the row before, whatever the issuer.
_ASIDES = ("including", "ofwhich", "inclusiveof")


def letters(words: str) -> str:
    """Return the letters of words in lower case, by which names are compared."""
    plain = unicodedata.normalize("NFKD", words.replace("&", "and"))
    return "".join(c for c in plain if c.isalpha()).lower()


@dataclass(frozen=True)
class Name:
    """A printed name: ``role`` as in the registry, or ``segment``; ``key`` is the metric's."""

    role: str
    key: str | None
    printed: str


@dataclass(frozen=True)
class Label:
    """The words before a row's figures: the name they end with, and the headings before it."""

    name: Name | None
    headings: tuple[Name, ...]
    printed: str
    is_total: bool = False


@dataclass(frozen=True)
class Vocabulary:
    """The names that an issuer's documents use."""

    company: Company
    structures: tuple[Structure, ...]
    segments: tuple[Segment, ...]
    names: tuple[PrintedName, ...]
    stated: tuple[StatedFigure, ...]
    #: Whether a metric is a flow or a stock.
    natures: Mapping[str, str]

    @classmethod
    def of(cls, registry: Registry, company_key: str) -> Vocabulary:
        """Return the vocabulary of a company.

        Raises:
            LookupError: when the registry does not know the company, or no words of its releases.
        """
        companies = {c.company_key: c for c in registry.entries(Company)}
        if company_key not in companies:
            raise LookupError(f"{company_key!r} is not in companies.csv: {', '.join(companies)}")
        names = tuple(n for n in registry.entries(PrintedName) if n.company_key == company_key)
        if not names:
            raise LookupError(f"printed_names.csv has no line for {company_key!r}")
        return cls(
            companies[company_key],
            tuple(s for s in registry.entries(Structure) if s.company_key == company_key),
            tuple(s for s in registry.entries(Segment) if s.company_key == company_key),
            names,
            tuple(s for s in registry.entries(StatedFigure) if s.company_key == company_key),
            {m.metric: m.nature for m in registry.entries(MetricEntry)},
        )

    @cached_property
    def by_letters(self) -> Mapping[str, tuple[Name, ...]]:
        """Names by their letters; the same letters may name a metric and a segment."""
        found: dict[str, list[Name]] = {}
        for name in self._all_names():
            same = found.setdefault(letters(name.printed), [])
            if (name.role, name.key) not in {(n.role, n.key) for n in same}:
                same.append(name)
        return {key: tuple(same) for key, same in found.items()}

    def _all_names(self) -> Iterator[Name]:
        for entry in self.names:
            if entry.role != "caption":
                yield from (Name(entry.role, entry.key, words) for words in entry.printed)
        for segment in self.segments:
            for words in printed_names(segment):
                yield Name("segment", None, words.rpartition(UNDER)[2])
        yield Name("furniture", None, self.company.name)

    @cached_property
    def captions(self) -> tuple[tuple[str, str], ...]:
        """Letters of the words above a table, and the metric they mean."""
        return tuple(
            (letters(words), str(entry.key))
            for entry in self.names
            if entry.role == "caption"
            for words in entry.printed
        )

    def metric_above(self, words: str) -> str | None:
        """Return the metric that the words above a table name last."""
        within = letters(words)
        found = [
            (within.rfind(caption) + len(caption), len(caption), metric)
            for caption, metric in self.captions
            if caption in within
        ]
        return max(found)[2] if found else None

    def label(self, words: str) -> Label:
        """Return what the words before a row's figures name.

        The words must be names from end to end: headings, then the row's own name. Anything else
        before it, and the label is unknown.
        """
        within = letters(words)
        ways = self._split(within)
        if not ways:
            is_aside = within.startswith(_ASIDES)
            return Label(Name("aside", None, words) if is_aside else None, (), words)
        best = min(ways, key=len)
        headings = tuple(name for name, _ in best[:-1] if name.role != "furniture")
        name, is_total = best[-1]
        return Label(name, headings, words, is_total)

    def metric_heading(self, words: str) -> str | None:
        """Return the metric that words begin with: the heading of what follows them."""
        within = letters(words)
        found = [
            (len(key), name.key)
            for key, names in self.by_letters.items()
            for name in names
            if name.role == "metric" and within.startswith(key)
        ]
        return max(found)[1] if found else None

    def _split(self, within: str) -> list[tuple[tuple[Name, bool], ...]]:
        """Return the ways to part letters into names, each with whether "total" stands before."""
        ways: dict[int, list[tuple[tuple[Name, bool], ...]]] = {0: [()]}
        for start in range(len(within)):
            for way in ways.get(start, ())[:4]:
                if len(way) == 5:
                    continue
                is_total = within.startswith(_TOTAL, start)
                for begin, total in ((start, False), (start + len(_TOTAL), True)):
                    if total and not is_total:
                        continue
                    for length in self._lengths:
                        names = self.by_letters.get(within[begin : begin + length])
                        if names and begin + length <= len(within):
                            ways.setdefault(begin + length, []).append((*way, (names[0], total)))
        return ways.get(len(within), []) if within else []

    @cached_property
    def _lengths(self) -> tuple[int, ...]:
        return tuple(sorted({len(key) for key in self.by_letters if key}, reverse=True))

    def segment_in(self, structure: str, words: str, heading: str | None) -> Segment | None:
        """Return the segment of a structure that a name means, under a heading or under none."""
        own = letters(words)
        plain = None
        for segment in self.segments:
            if segment.structure != structure:
                continue
            for alias in printed_names(segment):
                under, _, last = alias.rpartition(UNDER)
                if letters(last) != own:
                    continue
                if under and heading is not None and letters(under) == letters(heading):
                    return segment
                if not under:
                    plain = segment
        return plain

    def nearest(self, words: str) -> list[str]:
        """Return the known names that look most like unknown ones."""
        known = {letters(name.printed): name.printed for name in self._all_names()}
        close = difflib.get_close_matches(letters(words), known, n=3, cutoff=0.4)
        return [known[key] for key in close]


def printed_names(segment: Segment) -> Iterable[str]:
    """Return a segment's name and its other printed names."""
    return (segment.name, *segment.aliases)


def loosely(words: str) -> str:
    """Return a pattern that finds words although a text layer may have parted their letters."""
    pieces = []
    for word in words.split():
        pieces.append(r"[ ]?".join(re.escape(c) for c in word).replace(r"\-", r"\-\s*"))
    return r"[\s\-]*".join(pieces)
