"""The renderer: a head and its moving vertices to frames, one at a time. The only module that draws.

Each call draws in its own thread with its own plotter: a graphics context that is used from a second thread gives
garbage without any error, and a generator may be resumed from any thread.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from memorytalker.errors import ExecutionError
from memorytalker.face.frames import Frames, blocks
from memorytalker.face.head import HeadError, HeadMesh
from memorytalker.imports import collector_paused
from memorytalker.options import RenderOptions
from memorytalker.progress import Progress
from memorytalker.rendering import scene, textures
from memorytalker.rendering.dirty_rect import Box, moving_box
from memorytalker.rendering.edges import soften_edges
from memorytalker.rendering.frame_check import FrameCheck
from memorytalker.rendering.surface import Patch, Surface

#: Frames that the drawing thread may be ahead of the reader.
FRAMES_AHEAD = 3
#: An edge is subdivided if it is longer than the first and its middle rises by more than the second, in pixels.
LONGEST_SIDE, FLATTEST = 9.0, 0.3
#: A vertex that never moves by more than this, in pixels, counts as still.
STILL = 0.01
#: Up to this many frames, each is drawn whole.
FEW = 8
#: Largest distance of a vertex from the middle of the neutral head, in metres.
LARGEST_DISTANCE = 1.0

_NO_GRAPHICS = (
    "No working OpenGL was found, which rendering needs; on Debian or Ubuntu run "
    "'apt-get install libegl1 libgl1 libgl1-mesa-dri libx11-6' and try again."
)
# VTK has a race when several threads create their first plotters.
_OPENING = threading.Lock()

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


class RenderError(ExecutionError):
    """A frame that could not be drawn; the message says in plain words what is missing or wrong."""


def render_frames(
    head: HeadMesh,
    vertices: Frames,
    options: RenderOptions | None = None,
    paint: np.ndarray | None = None,
    progress: Progress | None = None,
) -> Iterator[np.ndarray]:
    """Render moving vertices. The same input gives the same frames.

    The motion is read three times, at most `frames.BLOCK` frames at a time: to check it, to see what moves, to draw it.

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
    _check(head, vertices, paint, scale, waiting)
    if scale == 1.0:
        return _frames(head, vertices, options, paint, waiting)
    scaled = dataclasses.replace(head, template=head.template * np.float32(scale))
    return _frames(scaled, vertices, options, paint, waiting, scale)


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
            [sys.executable, "-c", _PROBE], env=_environment(), capture_output=True, timeout=120, check=False, text=True
        )
    except (OSError, subprocess.TimeoutExpired):
        raise RenderError(_NO_GRAPHICS) from None
    if done.returncode or "drawn True" not in done.stdout:
        raise RenderError(_NO_GRAPHICS)


def _environment() -> dict[str, str]:
    """The process environment, with EGL for rendering off screen unless it sets something else."""
    chosen = {"VTK_DEFAULT_OPENGL_WINDOW": "vtkEGLRenderWindow"} if sys.platform.startswith("linux") else {}
    return {**chosen, **os.environ}


def _frames(
    head: HeadMesh,
    vertices: Frames,
    options: RenderOptions,
    paint: np.ndarray | None,
    waiting: Callable[[], None],
    scale: float = 1.0,
) -> Iterator[np.ndarray]:
    """Start the drawing thread and yield its frames, until the end or until the reader closes this generator."""
    check_graphics()
    drawn: queue.Queue[Any] = queue.Queue(FRAMES_AHEAD)
    stop = threading.Event()

    def hand_over(item: Any) -> bool:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                drawn.put(item, timeout=0.1)
                return True
        return False

    def draw() -> None:
        stage = None
        try:
            stage = _Stage(head, options, vertices, stop, scale, painted=paint is not None)
            every = (positions for block in blocks(vertices) for positions in block)
            for number, positions in enumerate(every):
                if paint is not None:
                    stage.paint(paint[number])
                elif number == 1 and len(vertices) > FEW:
                    stage.narrow()
                image = stage.draw(positions if scale == 1.0 else positions * scale, number)
                if not hand_over((image, stage.box)):
                    return
            hand_over(None)
        except BaseException as error:  # noqa: BLE001 - passed to the reader, which raises it
            hand_over(error)
        finally:
            if stage is not None:
                stage.close()

    thread = threading.Thread(target=draw, name="memorytalker-renderer", daemon=True)
    thread.start()
    whole: np.ndarray | None = None
    try:
        while (item := _next(drawn, waiting)) is not None:
            if isinstance(item, RenderError):
                raise item
            if isinstance(item, BaseException):
                raise RenderError(f"The renderer failed: {type(item).__name__}: {item}.") from item
            image, box = item
            # Not in the drawing thread, which can draw the next frame meanwhile.
            image = soften_edges(image) if options.antialias else image
            if box is None:
                whole = image
            else:
                assert whole is not None  # the first frame is drawn whole
                whole = box.put(image, whole)
            yield whole
    finally:
        stop.set()
        thread.join()


def _next(drawn: queue.Queue[Any], waiting: Callable[[], None]) -> Any:
    """The next item of the queue; `waiting` is called every half second until it is there."""
    while True:
        with contextlib.suppress(queue.Empty):
            return drawn.get(timeout=0.5)
        waiting()


class _Stage:
    """One plotter with a head, for the frames (T, V, 3) times `scale`. It is created, used and closed in one thread."""

    def __init__(
        self,
        head: HeadMesh,
        options: RenderOptions,
        frames: Frames,
        stop: threading.Event,
        scale: float = 1.0,
        painted: bool = False,
    ) -> None:
        self.options, self.painted = options, painted
        self.channels = 4 if options.transparent else 3
        self.box: Box | None = None  # the part of the frame that is drawn; None: all of it
        self.camera, pixel = scene.frame_head(head, options), scene.metres_per_pixel(head, options)
        self.surface = Surface(
            head.faces, head.template, LONGEST_SIDE * pixel, FLATTEST * pixel, scene.seam_groups_of(head)
        )
        attributes = scene.vertex_attributes(head, self.surface, options)
        self.atlas = textures.make_atlas(head.rig, options.height) if head.rig and textures.is_textured(head) else None
        if self.atlas is not None:
            attributes |= textures.texture_attributes(head, self.surface, self.atlas)
        self.plotter = _open_plotter(options)
        self._prepare(options)
        self.empty = self._read()
        # A third of a head never faces the camera; culling it saves a sixth of the time.
        # Without a background, what is seen from inside is drawn too; so are materials with two sides.
        self.two_sided = options.transparent or textures.is_two_sided(head)
        seen, lowest, highest = _survey(self.surface, frames, np.array(self.camera.position) / scale, stop)
        first = np.asarray(frames[:1][0], np.float32) * np.float32(scale)
        self._add_head(first, attributes, self.surface.cut(seen | self.two_sided))
        self.lowest, self.highest = lowest * scale, highest * scale
        self.check = FrameCheck(options, self.camera, self.empty, self.surface.faces, self.lowest, self.highest)
        self.patch = Patch(self.surface, (self.highest - self.lowest).max(axis=1) > STILL * pixel)

    def _prepare(self, options: RenderOptions) -> None:
        renderer, window = self.plotter.renderer, self.plotter.render_window
        # Without a GPU, VTK's own antialiasing takes as long as all other drawing.
        window.SetMultiSamples(0)
        if options.transparent:  # every pixel is then either the head's, with alpha 255, or zero in all channels
            renderer.SetBackground(0.0, 0.0, 0.0)
            renderer.SetBackgroundAlpha(0.0)
            renderer.GradientBackgroundOff()
            return
        renderer.SetBackground(scene.parse_color(options.background_bottom))
        renderer.SetBackground2(scene.parse_color(options.background_top))
        renderer.GradientBackgroundOn()

    def _add_head(self, vertices: np.ndarray, attributes: dict[str, np.ndarray], triangles: np.ndarray) -> None:
        import pyvista
        from vtkmodules.vtkRenderingOpenGL2 import vtkOpenGLPolyDataMapper

        self.normals = self.surface.normals(vertices)
        points, normals = self.surface.refine(vertices, self.normals)
        self.mesh = pyvista.PolyData.from_regular_faces(points.astype(np.float32), triangles)  # type: ignore[arg-type]
        self.mesh.point_data.active_normals = normals.astype(np.float32)
        mapper = vtkOpenGLPolyDataMapper()
        for name, values in attributes.items():
            self.mesh.point_data[name] = values
            if name != "color":
                mapper.MapDataArrayToVertexAttribute(f"{name}MC", name, 0, -1)
        self.mesh.point_data.active_scalars_name = "color"
        mapper.SetInputData(self.mesh)
        mapper.SetScalarModeToUsePointData()
        mapper.SetColorModeToDirectScalars()
        actor = pyvista.Actor()
        actor.SetMapper(mapper)
        actor.GetProperty().SetInterpolationToPhong()
        actor.GetProperty().SetBackfaceCulling(not self.two_sided)
        if self.atlas is not None:
            self.mesh.active_texture_coordinates = attributes["place"]
            actor.SetTexture(_texture(self.atlas.image))
        replacements = scene.shader_replacements(self.painted, self.options.transparent, self.atlas is not None)
        for stage, place, text in replacements:
            add = getattr(actor.GetShaderProperty(), f"Add{stage}ShaderReplacement")
            add(place, True, text, False)
        self.plotter.renderer.AddActor(actor)
        camera = self.plotter.renderer.GetActiveCamera()
        camera.SetPosition(self.camera.position)
        camera.SetFocalPoint(self.camera.focal_point)
        camera.SetViewUp(0, 1, 0)
        camera.SetViewAngle(self.camera.view_angle)
        camera.SetClippingRange(self.camera.near, self.camera.far)

    def narrow(self) -> None:
        """From the next frame on draw only the box in which anything changes, if that saves much."""
        width, height = self.options.width, self.options.height
        box = moving_box(self.lowest, self.highest, self.patch.vertices, self.camera, width, height)
        if box is None:
            return
        self.box = box
        self.check.narrow(box, self.latest)
        self.plotter.render_window.SetSize(*box.size)
        renderer, camera = self.plotter.renderer, self.plotter.renderer.GetActiveCamera()
        camera.SetViewAngle(scene.narrower(self.camera.view_angle, box.size[1] / height))
        camera.SetWindowCenter(
            (box.left + box.right - width) / box.size[0], (height - box.top - box.bottom) / box.size[1]
        )
        if self.options.transparent:
            return
        low, high = (scene.parse_color(c) for c in (self.options.background_bottom, self.options.background_top))
        for set_color, row in ((renderer.SetBackground, box.bottom), (renderer.SetBackground2, box.top)):
            set_color([b + (t - b) * (1 - row / height) for b, t in zip(low, high, strict=True)])

    def paint(self, colors: np.ndarray) -> None:
        """Set the colour of every vertex, (V, 3) uint8 sRGB, from the next frame on."""
        self.mesh.point_data["color"][:] = self.surface.spread(colors.astype(np.float32)).round().astype(np.uint8)

    def draw(self, vertices: np.ndarray, number: int) -> np.ndarray:
        """Draw the vertices (V, 3) of one frame: the whole image (H, W, C) or its `box`. RenderError if it is empty."""
        points, normals = self.patch.refine(np.asarray(vertices, np.float32), self.normals)
        self.mesh.points[self.patch.fine] = points  # pyvista's views mark the data as changed
        self.mesh.point_data.active_normals[self.patch.fine] = normals
        image = self._read()
        drawn = self.check.boxed(image) if self.box else self.check.whole(image, vertices)
        if not drawn or (number == 0 and not self.check.background()):
            raise RenderError(
                f"The renderer drew no head in frame {number}, perhaps for lack of memory; close other programs, or "
                "check the OpenGL driver with 'doctor'."
            )
        self.latest = image
        return image

    def _read(self) -> np.ndarray:
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkCommonCore import vtkUnsignedCharArray

        width, height = self.box.size if self.box else (self.options.width, self.options.height)
        pixels, window = vtkUnsignedCharArray(), self.plotter.render_window
        window.Render()  # plotter.render() and plotter.screenshot() may return the previous frame
        read = window.GetRGBACharPixelData if self.channels == 4 else window.GetPixelData
        read(0, 0, width - 1, height - 1, 0, pixels, 0)
        if pixels.GetNumberOfValues() != width * height * self.channels:
            raise RenderError("The renderer returned a frame of the wrong size; choose a smaller one.")
        return vtk_to_numpy(pixels).reshape(height, width, self.channels)[::-1].copy()

    def close(self) -> None:
        """Release the graphics context, in the thread that made it."""
        self.plotter.close()


def _survey(
    surface: Surface, frames: Frames, eye: np.ndarray, stop: threading.Event
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The triangles (F,) bool that face `eye` (3,) in any frame, and each vertex's lowest and highest place (V, 3).

    When `stop` is set nobody waits for the rest.
    """
    seen = np.zeros(len(surface.faces), bool)
    lowest = highest = np.asarray(frames[:1])[0]
    for block in blocks(frames):
        if stop.is_set():
            break
        seen |= surface.seen(block, eye)
        lowest, highest = np.minimum(lowest, block.min(axis=0)), np.maximum(highest, block.max(axis=0))
    return seen, lowest, highest


def _texture(image: np.ndarray) -> Any:
    """An image (S, S, 4) uint8 as a texture, the first row at coordinate 0."""
    import pyvista
    from vtkmodules.vtkRenderingCore import vtkTexture

    data = pyvista.ImageData(dimensions=(image.shape[1], image.shape[0], 1))
    data.point_data["texels"] = image.reshape(-1, 4)
    data.point_data.active_scalars_name = "texels"
    texture = vtkTexture()
    texture.SetInputDataObject(data)
    texture.SetColorModeToDirectScalars()
    texture.InterpolateOn()
    texture.RepeatOff()
    return texture


def _open_plotter(options: RenderOptions) -> Any:
    with _OPENING:
        os.environ.update(_environment())
        with collector_paused():
            import pyvista

            pyvista.Plotter  # noqa: B018 - imported when it is first asked for

        plotter = pyvista.Plotter(off_screen=True, window_size=[options.width, options.height], lighting="none")
        # The lights are in the shader; one light here makes VTK pass normals and positions to the shader.
        plotter.renderer.AddLight(pyvista.Light(light_type="headlight"))
        assert plotter.render_window is not None
        plotter.render_window.Render()
        return plotter
