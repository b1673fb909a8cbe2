"""Every figure has its data and its command."""

from __future__ import annotations

import base64
import gzip
import re

import numpy as np
import pandas as pd

from winit import schemes
from winit.report.exhibits import EMBEDDED_ROWS, FEWER_ROWS, MANY_SETTINGS, SHOWN_ROWS, data_table, shown_rows
from winit.report.wording import PRETRAINED_SETTING


def test_data_tables_say_once_what_is_the_same_in_every_row():
    frame = pd.DataFrame(
        {"dataset": "digits", "initializer": ["he_normal", "zeros"], "value": [0.12345, np.inf], "n": [1, 2]}
    )
    shown = data_table(frame)
    assert shown.constants == [("dataset", "digits")]
    assert shown.columns == [("initializer", False), ("value", True), ("n", True)]
    assert shown.cells == [[schemes.label("he_normal"), "0.123", "1"], ["zeros", "∞", "2"]]
    long = data_table(pd.DataFrame({"value": np.arange(500.0)}))
    assert len(long.cells) == SHOWN_ROWS and long.rows == 500


def test_a_figure_of_many_settings_shows_fewer_rows():
    settings = pd.DataFrame({name: "x" for name in PRETRAINED_SETTING} | {"width": range(10)})
    assert shown_rows(settings.head(MANY_SETTINGS)) == SHOWN_ROWS
    assert shown_rows(pd.concat([settings.head(MANY_SETTINGS)] * 2)) == SHOWN_ROWS, "a setting counts once"
    assert shown_rows(settings.head(MANY_SETTINGS + 1)) == FEWER_ROWS
    long = data_table(pd.DataFrame({"value": np.arange(500.0)}), FEWER_ROWS)
    assert len(long.cells) == FEWER_ROWS and long.rows == 500


def test_every_figure_has_its_data_and_its_command(made):
    study, _, page = made
    text = page.read_text()
    parts = re.findall(r'<figure id="fig-([^"]+)"[^>]*>(.*?)</figure>', text, re.DOTALL)
    assert len(parts) > 20
    for name, part in parts:
        csv = (page.parent / "figures" / f"{name}.csv").read_text()
        rows = csv.count("\n") - 1
        embedded = re.search(r'<script type="application/gzip"[^>]*>(.*?)</script>', part, re.DOTALL)
        assert (embedded is not None) == (rows <= EMBEDDED_ROWS), name
        assert embedded is None or gzip.decompress(base64.b64decode(embedded[1])).decode() == csv
        body = part.split("<tbody>")[1].split("</table>")[0]
        assert body.count("<tr>") == min(rows, SHOWN_ROWS)
        assert f"winit workflow report results/{study.name}/study.yaml" in part
        assert f'href="figures/{name}.svg"' in part and f'href="figures/{name}.csv"' in part
