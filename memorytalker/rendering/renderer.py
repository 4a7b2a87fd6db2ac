"""The renderer: a head and its moving vertices to frames, one at a time.

Each call draws in threads of its own, each with its own stage: a graphics context that is used from a second thread
gives garbage without any error, and a generator may be resumed from any thread. While a stage draws, Python goes on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from memorytalker.cores import usable_cores
from memorytalker.face.frames import Frames, blocks
from memorytalker.face.head import HeadError, HeadMesh
from memorytalker.faults import machine_fault
from memorytalker.options import RenderOptions
from memorytalker.progress import Progress
from memorytalker.rendering import scene
from memorytalker.rendering.edges import soften_edges
from memorytalker.rendering.stage import Plan, RenderError, Stage, graphics_environment, plan_for

#: Frames that one drawing thread may be ahead of the reader.
FRAMES_AHEAD = 3
#: Threads that draw where there are more cores than that, and the least frames that are worth a second one.
DRAWING_THREADS, MANY = 2, 60
#: Frames that one of several threads draws before the next frame is another's; it may be so many ahead.
RUN = 8
#: Motion of up to so many bytes is computed once and held; longer motion is computed block by block, three times.
HELD = 2**26
#: Up to this many frames, each is drawn whole.
FEW = 8
#: Largest distance of a vertex from the middle of the neutral head, in metres.
LARGEST_DISTANCE = 1.0

_NO_GRAPHICS = (
    "No working OpenGL was found, which rendering needs; on Debian or Ubuntu run "
    "'apt-get install libegl1 libgl1 libgl1-mesa-dri libx11-6' and try again."
)
#: Without a usable OpenGL, VTK ends the process, so this runs in a process of its own.
_PROBE = """
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
import vtkmodules.vtkRenderingOpenGL2
window, renderer, pixels = vtkRenderWindow(), vtkRenderer(), vtkUnsignedCharArray()
window.SetOffScreenRendering(1); window.SetMultiSamples(0); window.SetSize(8, 8)
renderer.SetBackground(1.0, 0.0, 1.0); window.AddRenderer(renderer); window.Render()
window.GetPixelData(0, 0, 7, 7, 0, pixels, 0)
print("drawn", [pixels.GetValue(k) for k in range(3)] == [255, 0, 255])
"""


def render_frames(
    head: HeadMesh,
    vertices: Frames,
    options: RenderOptions | None = None,
    paint: np.ndarray | None = None,
    progress: Progress | None = None,
) -> Iterator[np.ndarray]:
    """Render moving vertices. The same input gives the same frames.

    Longer motion is read three times, at most `frames.BLOCK` frames at a time: to check it, to see what moves, to draw
    it. Where the process has cores to spare, two threads draw; the frames are the same.

    Args:
        head: the head; one in other units than metres is drawn at the natural size of a head.
        vertices: T frames (V, 3) in metres, y up, face towards +z: an array (T, V, 3) or any `Frames`.
        options: size, camera, background; None: the defaults.
        paint: (T, V, 3) uint8 sRGB, colours with a meaning, which replace the head's in each frame. They are lit so
            that their hue stays, and are shown unchanged where the face looks at the camera.
        progress: called as progress(0, T, "render") while the motion is read, before the first frame; what it raises
            cancels.

    Returns:
        An iterator of T frames (H, W, 3) uint8 sRGB, or (H, W, 4) with alpha that is not premultiplied if
        `options.transparent`. It draws only a few frames ahead; closing it stops the drawing.

    Raises:
        HeadError: a head without triangles.
        RenderError: vertices or paint that do not fit the head or are not finite; while iterating, no OpenGL, or a
            frame without a head in it.
    """
    if not len(head.faces):
        raise HeadError("This head has no triangles to draw; load it from its mesh file (.ply or .obj).")
    options = RenderOptions() if options is None else options
    scale = scene.natural_scale(head)
    waiting = (lambda: None) if progress is None else functools.partial(progress, 0, len(vertices), "render")
    vertices = _held(vertices, head, waiting)
    _check(head, vertices, paint, scale, waiting)
    if scale == 1.0:
        return _frames(head, vertices, options, paint, waiting)
    scaled = dataclasses.replace(head, template=head.template * np.float32(scale))
    return _frames(scaled, vertices, options, paint, waiting, scale)


def _held(vertices: Frames, head: HeadMesh, waiting: Callable[[], None]) -> Frames:
    """Motion that is short enough as an array, since making it takes time; other motion as it is."""
    if isinstance(vertices, np.ndarray) or not 0 < len(vertices) * head.template.nbytes <= HELD:
        return vertices
    made = []
    for block in blocks(vertices):
        waiting()
        made.append(block)
    return np.concatenate(made)


def _check(
    head: HeadMesh, vertices: Frames, paint: np.ndarray | None, scale: float, waiting: Callable[[], None]
) -> None:
    """Raise RenderError for motion or paint that cannot be drawn on the head."""
    middle = (head.template.min(axis=0) + head.template.max(axis=0)) / 2
    number = 0
    for block in blocks(vertices):
        waiting()
        if block.shape[1:] != head.template.shape:
            raise RenderError(
                f"The motion has the shape {(len(vertices), *block.shape[1:])}, but this head needs (frames, "
                f"{head.vertex_count}, 3); use the head that the motion was made for."
            )
        for frame in block:
            if not np.isfinite(frame).all() or np.abs(frame - middle).max() * scale > LARGEST_DISTANCE:
                raise RenderError(
                    f"Frame {number} of the motion has vertices that are not finite or far from the head."
                )
            number += 1
    if not number:
        raise RenderError("The motion has no frames; give a longer sound.")
    shape = (number, *head.template.shape)
    if paint is not None and (np.shape(paint) != shape or np.asarray(paint).dtype != np.uint8):
        raise RenderError(f"Paint of the shape {np.shape(paint)} does not fit the motion; give a colour a vertex.")


@functools.cache
def check_graphics() -> None:
    """Check that this machine can render, once per process.

    Raises:
        RenderError: no working OpenGL; the message names the packages to install.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE],
            env=graphics_environment(),
            capture_output=True,
            timeout=120,
            check=False,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        raise RenderError(_NO_GRAPHICS) from None
    if done.returncode or "drawn True" not in done.stdout:
        raise RenderError(_NO_GRAPHICS)


def _frames(
    head: HeadMesh,
    vertices: Frames,
    options: RenderOptions,
    paint: np.ndarray | None,
    waiting: Callable[[], None],
    scale: float = 1.0,
) -> Iterator[np.ndarray]:
    """Start the drawing threads and yield their frames, until the end or until the reader closes this generator."""
    check_graphics()
    # Painted frames differed in two threads, for a reason that is not known; one thread paints.
    threads = 1 if paint is not None else drawing_threads(len(vertices))
    drawing = _Drawing(head, options, vertices, scale, paint, threads)
    whole: np.ndarray | None = None
    try:
        for number in range(len(vertices)):
            item = _next(drawing.queue_of(number), waiting)
            if isinstance(item, RenderError):
                raise item
            if isinstance(item, BaseException):
                lacks = machine_fault(item)
                raise RenderError(lacks or f"The renderer failed: {type(item).__name__}: {item}.") from item
            image, box = item
            # Not in a drawing thread, which can draw the next frame meanwhile.
            image = soften_edges(image) if options.antialias else image
            if box is None:
                whole = image
            else:
                assert whole is not None  # the first frame is drawn whole
                whole = box.put(image, whole)
            yield whole
    finally:
        drawing.close()


def drawing_threads(frames: int) -> int:
    """The number of threads that draw `frames` frames: one where the encoder and the reader need the other cores."""
    return DRAWING_THREADS if usable_cores() > DRAWING_THREADS and frames >= MANY else 1


class _Drawing:
    """The threads that draw one motion: runs of `RUN` frames go to them in turn. Arguments as of `_frames`."""

    def __init__(
        self,
        head: HeadMesh,
        options: RenderOptions,
        vertices: Frames,
        scale: float,
        paint: np.ndarray | None,
        threads: int,
    ) -> None:
        self._vertices, self._scale, self._paint = vertices, scale, paint
        self._stop, self._planning = threading.Event(), threading.Lock()
        self._plan: Plan | None = None
        self._prepare = functools.partial(plan_for, head, options, vertices, self._stop, scale)
        ahead = FRAMES_AHEAD if threads == 1 else RUN
        self._queues: list[queue.Queue[Any]] = [queue.Queue(ahead) for _ in range(threads)]
        self._threads = [
            threading.Thread(target=self._draw, args=(which,), name="memorytalker-renderer", daemon=True)
            for which in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def queue_of(self, number: int) -> queue.Queue[Any]:
        """Where a frame comes from, as (image, its box), or as the error that ended its thread."""
        return self._queues[number // RUN % len(self._queues)]

    def close(self) -> None:
        """Stop the threads, and wait until they have."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _draw(self, which: int) -> None:
        """Draw every frame of one thread."""
        stage = None
        try:
            stage = Stage(self._planned(), painted=self._paint is not None)
            for number, positions in enumerate(self._positions()):
                if self._stop.is_set():
                    return
                own = self.queue_of(number) is self._queues[which]
                if self._paint is not None and own:
                    stage.paint(self._paint[number])
                elif self._paint is None and number == 1 and len(self._vertices) > FEW:
                    stage.narrow()
                # Every thread draws the first frame, against which it checks the later ones.
                image = stage.draw(positions, number) if own or number == 0 else None
                if own and not self._hand_over(which, (image, stage.box)):
                    return
        except BaseException as error:  # noqa: BLE001 - passed to the reader, which raises it
            self._hand_over(which, error)
        finally:
            if stage is not None:
                stage.close()

    def _planned(self) -> Plan:
        """The plan, which the first thread that comes makes."""
        with self._planning:
            if self._plan is None:
                self._plan = self._prepare()
            return self._plan

    def _positions(self) -> Iterator[np.ndarray]:
        """The vertices (V, 3) of every frame. Every thread reads the same blocks, so that they are equal to the bit."""
        for block in blocks(self._vertices):
            for positions in block:
                yield positions if self._scale == 1.0 else positions * self._scale

    def _hand_over(self, which: int, item: Any) -> bool:
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._queues[which].put(item, timeout=0.1)
                return True
        return False


def _next(drawn: queue.Queue[Any], waiting: Callable[[], None]) -> Any:
    """The next item of the queue; `waiting` is called every half second until it is there."""
    while True:
        with contextlib.suppress(queue.Empty):
            return drawn.get(timeout=0.5)
        waiting()
