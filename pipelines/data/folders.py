"""Image folders (FOLDER/CLASS/*) as every stage reads them: links followed, clutter left out, faults in one line."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from PIL import Image
from torchvision.datasets import DatasetFolder

from pipelines.common import PipelineError
from registry.inputs.files import IMAGES, files_beside, files_in, folders_in, missing, shown
from registry.inputs.images import check_pixels, reason

# check_pixels refuses such an image by its name; the warning has none
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def data_root(path: str | Path) -> Path:
    """Return a data folder's absolute path: ~ expanded, links in it kept."""
    return Path(os.path.abspath(Path(path).expanduser()))


def open_rgb(path: str | Path) -> Image.Image:
    """Return an image as RGB. Raises ValueError saying why a file cannot be read or decoded."""
    try:
        with open(path, "rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise ValueError("is empty")
            image = Image.open(file)
            check_pixels(image)
            return image.convert("RGB")
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # Pillow's decoders raise nearly every kind
        raise ValueError(why_not(error)) from None


def why_not(error: Exception) -> str:
    """Return why an image could not be opened or decoded, as a message goes on after the file's name."""
    if isinstance(error, OSError) and error.errno:
        return f"cannot be read ({error.strerror})"
    text = reason(error)
    return text if text == "is empty" else f"cannot be decoded ({text})"


class ImageFolder(DatasetFolder):
    """Serve (image, label) as torchvision's ImageFolder does, in its order.

    Hidden files and folders, and others that systems leave, are not there; a link is what it points to. Raises
    PipelineError naming a class without images, and DataError a link that leads nowhere or in a circle.

    mend: what a message ends with.
    """

    def __init__(self, root: str | Path, mend: str) -> None:
        self.mend = mend
        if not Path(root).is_dir():
            raise PipelineError(f"{shown(root)}: {missing(Path(root))}; {mend}")
        super().__init__(str(root), self.open, extensions=IMAGES)
        self.imgs = self.samples

    def find_classes(self, directory: str | Path) -> tuple[list[str], dict[str, int]]:
        """Return the class folders' names, sorted, and their labels."""
        names = folders_in(directory)
        if not names:
            what = "images but no class folders" if files_in(directory, IMAGES) else "no images in class folders"
            raise PipelineError(f"{shown(directory)}: {what}; {self.mend}")
        if stray := files_beside(directory, IMAGES):
            raise PipelineError(
                f"{shown(stray[0])}: lies in no class folder ({len(stray)} such images); move it into one"
            )
        return names, {name: i for i, name in enumerate(names)}

    def make_dataset(  # type: ignore[override]
        self, directory: str | Path, class_to_idx: dict[str, int], **_: object
    ) -> list[tuple[str, int]]:
        """Return (path, label) of all images, sorted by class, folder and name."""
        samples = []
        for name, label in class_to_idx.items():
            paths = sorted(os.path.split(path) for path in files_in(Path(directory) / name, IMAGES))
            if not paths:
                raise PipelineError(f"{shown(Path(directory) / name)}: no images in class folders; {self.mend}")
            samples += [(os.path.join(*parts), label) for parts in paths]
        return samples

    def open(self, path: str) -> Image.Image:
        """Return an image as RGB. Raises PipelineError naming a file that cannot be read or decoded."""
        try:
            return open_rgb(path)
        except ValueError as error:
            raise PipelineError(f"{shown(path)}: {error}; {self.mend}") from None
