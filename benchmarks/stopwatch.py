"""Where processor time goes in a process: a stopwatch on named functions, which returns them as they were."""

from __future__ import annotations

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

# The parts of training, and the functions whose time is theirs.
WATCHED: dict[str, tuple[str, ...]] = {
    "compilation": (
        "winit.engine.kernel.stack:compile_shape",
        "winit.engine.kernel.layers:tied_autoencoder",
        "winit.engine.kernel.layers:free_autoencoder",
        "winit.engine.kernel.layers:machine",
    ),
    "training steps": (
        "winit.engine.kernel.stack:KernelStack.advance",
        "winit.engine.torch_stack:TorchStack.advance",
    ),
    "evaluation": (
        "winit.training.recorder:Recorder.evaluate",
        "winit.training.recorder:Recorder.read_outcome",
        "winit.training.recorder:Recorder.predict",
    ),
    "probes": (
        "winit.training.recorder:Recorder.probe",
        "winit.training.recorder:Recorder.probe_drawn",
        "winit.training.recorder:Recorder.record_update",
    ),
    "pretraining": ("winit.training.pretraining:Pretrainer.pretrained",),
}
INNERMOST = "compilation"  # is taken out of whatever calls it; of all others, the outermost call counts
REST = "data, drawing, recording"


def owner(path: str) -> tuple[Any, str]:
    """Return the object that holds a function, and the function's name in it.

    Args:
        path: `module:name` or `module:Class.name`.

    Raises:
        AttributeError: there is no such function.
    """
    module, _, names = path.partition(":")
    *outer, name = names.split(".")
    holder = functools.reduce(getattr, outer, import_module(module))
    getattr(holder, name)
    return holder, name


class Stopwatch:
    """Processor time of the parts of what runs under it. A second is counted once, for one part.

    Args:
        clock: returns seconds.

    Attributes:
        seconds: by part.
    """

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._clock, self._last = clock, 0.0
        self._parts: list[str] = []

    def _switch(self) -> None:
        """Give the time since the last switch to the part that is running."""
        now = self._clock()
        if self._parts:
            self.seconds[self._parts[-1]] += now - self._last
        self._last = now

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what runs inside for a part."""
        self._switch()
        self._parts.append(name)
        try:
            yield
        finally:
            self._switch()
            self._parts.pop()

    def _timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*arguments: Any, **options: Any) -> Any:
            if part != INNERMOST and len(self._parts) > 1:  # inside of another part than the rest
                return function(*arguments, **options)
            with self.part(part):
                return function(*arguments, **options)

        return timed

    @contextmanager
    def watching(self, watched: Mapping[str, Sequence[str]] = WATCHED) -> Iterator[None]:
        """Count what runs inside: for the parts of the functions that it calls, and else for the rest."""
        originals = [(*owner(path), part) for part, paths in watched.items() for path in paths]
        saved = [vars(holder)[name] for holder, name, _ in originals]
        for (holder, name, part), function in zip(originals, saved, strict=True):
            setattr(holder, name, self._timed(function, part))
        try:
            with self.part(REST):
                yield
        finally:
            for (holder, name, _), function in zip(originals, saved, strict=True):
                setattr(holder, name, function)
