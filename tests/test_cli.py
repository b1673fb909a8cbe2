"""The command line: one line and exit code 2 for a caller's mistake."""

from __future__ import annotations

import pytest

from winit.cli import main


@pytest.mark.parametrize(
    "override",
    [
        "grid.activation=['ta\nnh']",
        "grid.depth\n=[2]",
        "stu\ndy=smoke",
        "study=sm\noke",
        "grid.initializer=['he\nnormal']",
        "name='a\nb'",
    ],
)
def test_a_mistake_with_a_line_break_costs_one_line(override, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["plan", "study=smoke", override] if not override.startswith("stu") else ["plan", override])
    told = capsys.readouterr()
    assert end.value.code == 2 and told.out == ""
    assert told.err.startswith("winit: ") and told.err.count("\n") == 1
