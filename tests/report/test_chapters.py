"""Chapters for learners: complete, in order, and tied to what is on the page."""

from __future__ import annotations

import re
from pathlib import Path

from winit import schemes
from winit.analysis.claims.reading import read
from winit.report import chapters
from winit.study import conf


def test_chapters_come_in_the_tutorials_order_and_name_real_schemes():
    ids = [chapter.id for chapter in chapters.CHAPTERS]
    assert ids == ["zero", "constant", "small", "large", "one-over-n", "glorot", "he", "kumar", "pretraining", "field"]
    for chapter in chapters.CHAPTERS:
        assert set(chapter.initializers) <= set(schemes.SCHEMES), chapter.id
        assert chapter.claims and chapter.claim and chapter.formula and chapter.look


def test_every_claim_of_the_tutorial_has_a_chapter():
    told = [claim for chapter in chapters.CHAPTERS for claim in chapter.claims]
    assert (
        sorted(told) == sorted(claim.id for claim in read(conf.files("claims").values()))
        and len(set(told)) == len(told) == 19
    )


def test_a_study_has_the_chapters_of_its_runs():
    ids = [chapter.id for chapter in chapters.of_study({"he_normal", "zeros"}, is_pretrained=False)]
    assert ids == ["zero", "constant", "he", "field"]
    assert "pretraining" in [chapter.id for chapter in chapters.of_study(set(), is_pretrained=True)]


def test_references_are_bibtex_with_keys_of_their_own():
    text = (Path(chapters.__file__).parent / "templates" / "references.bib").read_text()
    entries = re.split(r"\n(?=@)", text)
    keys = [re.match(r"@\w+\{(\w+),", entry)[1] for entry in entries]
    assert len(set(keys)) == len(keys) >= 11
    for entry in entries:
        assert (
            entry.count("{") == entry.count("}")
            and re.search(r"author = .*\n", entry)
            and re.search(r"year = \{\d{4}\}", entry)
        )
