"""Progress of a study: estimates need measurements, and are then approximately right."""

from __future__ import annotations

import pytest

from winit.workflow.progress import EVIDENCE, Progress, State, Todo, duration

WORKLOADS, CHUNKS, PROCESSORS = 10, 12, 2
CHUNK_FLOPS, CHUNK_SECONDS, COMPILING = 5e9, 2.0, 6.0
NEEDED = 0.6  # of the most there can be; the plan's middle is 0.7
MOST = WORKLOADS * CHUNKS * CHUNK_FLOPS / NEEDED
RUNS = 7  # of a chunk
MOST_RUNS = int(WORKLOADS * CHUNKS * RUNS / NEEDED)


def begun(tmp_path) -> Progress:
    return Progress.begin(tmp_path, Todo(0, MOST_RUNS, MOST, 0.4 * MOST, PROCESSORS))


def test_the_time_left_is_about_right_as_soon_as_it_is_told(tmp_path):
    """Ten workloads on two processors: first their code is compiled, then chunks are trained; 60 % of the bound is needed."""
    progress = begun(tmp_path)
    in_all = WORKLOADS * (COMPILING + CHUNKS * CHUNK_SECONDS) / PROCESSORS
    spent, told = 0.0, []
    for number in range(WORKLOADS):
        for chunk in range(CHUNKS):
            seconds = CHUNK_SECONDS + (COMPILING if not chunk else 0)
            spent += seconds
            progress.trained(f"w{number}", RUNS, CHUNK_FLOPS, seconds)
            state = progress.state()
            assert (state.seconds_left is None) == (spent < EVIDENCE * PROCESSORS)
            if state.seconds_left is not None:
                left = in_all - spent / PROCESSORS
                told.append((state.seconds_left, left))
        unneeded = CHUNKS * CHUNK_FLOPS * (1 / NEEDED - 1)
        progress.unneeded(f"w{number}", MOST_RUNS // WORKLOADS - CHUNKS * RUNS, unneeded)
    assert len(told) > 100
    for said, left in told:
        assert abs(said - left) < 0.35 * left + 5, f"{said:.0f} s were told with {left:.0f} s to go"
    assert progress.state() == State(WORKLOADS * CHUNKS * RUNS, WORKLOADS * CHUNKS * RUNS, 1.0, None)


def test_the_share_of_the_work_never_falls_and_counts_what_is_not_needed(tmp_path):
    progress = begun(tmp_path)
    progress.trained("a", RUNS, MOST / 4, 100.0)
    assert progress.state().share == 0.25
    progress.unneeded("a", 100, MOST / 4)
    state = progress.state()
    assert state.share == 0.5 and (state.done, state.total) == (RUNS, MOST_RUNS - 100)
    assert str(state).startswith(f"{RUNS} of up to {MOST_RUNS - 100:,} runs, 50% of the work, about ")


def test_twice_the_processors_take_half_the_time(tmp_path):
    def left(processors: int) -> float:
        progress = Progress.begin(tmp_path, Todo(0, 100, 1e12, 1e12, processors))
        progress.trained("a", 10, 1e11, 100.0)
        return progress.state().seconds_left

    assert left(1) == pytest.approx(900) and left(2) == pytest.approx(450)


def test_a_study_that_has_not_started_has_no_state(tmp_path):
    progress = Progress(tmp_path / "progress.tsv")
    assert progress.state() is None
    begun(tmp_path)
    assert progress.state() is not None and progress.state(since=4e9) is None, "another session's file says nothing"
    (tmp_path / "progress.tsv").write_text("1795635715.5\t14460\t14460\t0.0\n")
    assert progress.state() is None, "nor does one of an older version"


def test_a_study_with_nothing_to_train_is_done(tmp_path):
    state = Progress.begin(tmp_path, Todo(12, 12, 0.0, 0.0, 1)).state()
    assert state == State(12, 12, 1.0, None) and str(state) == "12 runs"


@pytest.mark.parametrize(
    ("seconds", "text"), [(41.6, "42 s"), (60, "1 min 0 s"), (250, "4 min 10 s"), (7500, "2 h 5 min")]
)
def test_a_duration_is_said_as_a_person_says_it(seconds, text):
    assert duration(seconds) == text
