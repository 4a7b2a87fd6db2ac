"""The stage: one off-screen plotter with a head, redrawn frame by frame. The only module that imports PyVista.

A graphics context belongs to the thread that made it: used from a second one, it gives garbage without any error. So a
stage is made, used and closed in one thread.
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from memorytalker.cores import usable_cores
from memorytalker.errors import ExecutionError
from memorytalker.face.frames import Frames, blocks
from memorytalker.face.head import HeadMesh
from memorytalker.imports import collector_paused, prepare_matplotlib, prepare_mesa
from memorytalker.options import RenderOptions
from memorytalker.rendering import scene, textures
from memorytalker.rendering.dirty_rect import Box, moving_box
from memorytalker.rendering.frame_check import FrameCheck
from memorytalker.rendering.surface import Patch, Surface

#: An edge is subdivided if it is longer than the first and its middle rises by more than the second, in pixels.
LONGEST_SIDE, FLATTEST = 9.0, 0.3
#: A vertex that never moves by more than this, in pixels, counts as still.
STILL = 0.01
# VTK has a race when several threads create their first plotters.
_OPENING = threading.Lock()


class RenderError(ExecutionError):
    """A frame that could not be drawn; the message says in plain words what is missing or wrong."""


def graphics_environment() -> dict[str, str]:
    """The process environment, with what drawing without a screen or a GPU needs unless it sets something else.

    EGL draws off screen. Mesa, which draws on the processor, counts the machine's cores and not those of a container.
    """
    cores = usable_cores()
    chosen = {"LP_NUM_THREADS": str(cores if cores > 1 else 0)}
    if sys.platform.startswith("linux"):
        chosen["VTK_DEFAULT_OPENGL_WINDOW"] = "vtkEGLRenderWindow"
    return {**chosen, **os.environ}


@dataclass(frozen=True, eq=False)
class Plan:
    """What is known before the first frame, and is the same for every stage of one motion.

    Args:
        head: in metres.
        options: size, camera, background.
        scale: factor from the motion to metres.
        first: (V, 3) float32, its first frame in metres.
        surface: the head's surface.
        attributes: what the shader reads for each fine vertex.
        atlas: the head's textures, if it has any.
        seen: (F,) bool, the triangles that face the camera in any frame.
        lowest: (V, 3) each vertex's smallest coordinates over all frames, in metres.
        highest: (V, 3) the largest.
    """

    head: HeadMesh
    options: RenderOptions
    scale: float
    first: np.ndarray
    surface: Surface
    attributes: dict[str, np.ndarray]
    atlas: textures.Atlas | None
    seen: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray


def plan_for(head: HeadMesh, options: RenderOptions, frames: Frames, stop: threading.Event, scale: float) -> Plan:
    """Prepare to draw all frames (T, V, 3) times `scale`; when `stop` is set nobody waits for them."""
    camera, pixel = scene.frame_head(head, options), scene.metres_per_pixel(head, options)
    surface = Surface(head.faces, head.template, LONGEST_SIDE * pixel, FLATTEST * pixel, scene.seam_groups_of(head))
    attributes = scene.vertex_attributes(head, surface, options)
    atlas = textures.make_atlas(head.rig, options.height) if head.rig and textures.is_textured(head) else None
    if atlas is not None:
        attributes |= textures.texture_attributes(head, surface, atlas)
    seen, lowest, highest = _survey(surface, frames, np.array(camera.position) / scale, stop)
    first = np.asarray(frames[:1][0], np.float32) * np.float32(scale)
    return Plan(head, options, scale, first, surface, attributes, atlas, seen, lowest * scale, highest * scale)


class Stage:
    """One plotter with a head. It is created, used and closed in one thread.

    Args:
        plan: what it will draw.
        painted: the head shows the colours of `paint` and not its materials.
    """

    def __init__(self, plan: Plan, painted: bool = False) -> None:
        head, options = plan.head, plan.options
        self.plan, self.options, self.painted, self.surface = plan, options, painted, plan.surface
        self.channels = 4 if options.transparent else 3
        self.box: Box | None = None  # the part of the frame that is drawn; None: all of it
        self.camera, pixel = scene.frame_head(head, options), scene.metres_per_pixel(head, options)
        self.plotter = _open_plotter(options)
        self._prepare(options)
        self.empty = self._read()
        # A third of a head never faces the camera; culling it saves a sixth of the time.
        # Without a background, what is seen from inside is drawn too; so are materials with two sides.
        self.two_sided = options.transparent or textures.is_two_sided(head)
        self._add_head(plan.first, plan.attributes, self.surface.cut(plan.seen | self.two_sided))
        self.check = FrameCheck(options, self.camera, self.empty, self.surface.faces, plan.lowest, plan.highest)
        self.patch = Patch(self.surface, (plan.highest - plan.lowest).max(axis=1) > STILL * pixel)

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
        if self.plan.atlas is not None:
            self.mesh.active_texture_coordinates = attributes["place"]
            actor.SetTexture(_texture(self.plan.atlas.image))
        replacements = scene.shader_replacements(self.painted, self.options.transparent, self.plan.atlas is not None)
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
        box = moving_box(self.plan.lowest, self.plan.highest, self.patch.vertices, self.camera, width, height)
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
        os.environ.update(graphics_environment())
        prepare_matplotlib()
        prepare_mesa()
        with collector_paused():
            import pyvista

            pyvista.Plotter  # noqa: B018 - imported when it is first asked for

        plotter = pyvista.Plotter(off_screen=True, window_size=[options.width, options.height], lighting="none")
        # The lights are in the shader; one light here makes VTK pass normals and positions to the shader.
        plotter.renderer.AddLight(pyvista.Light(light_type="headlight"))
        assert plotter.render_window is not None
        plotter.render_window.Render()
        return plotter
