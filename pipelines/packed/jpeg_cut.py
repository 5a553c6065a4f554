"""Cut a rectangle out of a JPEG without decoding it.

A packed JPEG is baseline with a restart interval of one MCU (ITU-T T.81, B.2.4.4 and E.2.4): every MCU's code stands
alone, because prediction starts anew at each restart marker. The codes of the MCUs over a rectangle, their markers
renumbered, under a header that states the rectangle's size, are thus a JPEG of that rectangle, which any decoder
reads, on a CPU or a GPU, in a time that falls with the rectangle's area. Its pixels equal the whole image's there:
with 4:2:0 the cut is one MCU wider, since interpolated chroma looks one sample beyond.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESTART, END = 0xD0, 0xD9
#: Sampling factors (luma, then both chromas) by MCU size in pixels: 4:4:4 and 4:2:0.
SAMPLING = {8: (0x11, 0x11, 0x11), 16: (0x22, 0x11, 0x11)}


@dataclass(frozen=True)
class Frame:
    """Hold where a packed JPEG's header ends, where its frame header starts, and its size and MCU size in pixels."""

    header: int
    sof: int
    height: int
    width: int
    mcu: int

    @property
    def rows(self) -> int:
        """Return the number of MCU rows."""
        return -(-self.height // self.mcu)

    @property
    def columns(self) -> int:
        """Return the number of MCUs in a row."""
        return -(-self.width // self.mcu)


def scan(jpeg: bytes) -> tuple[Frame, NDArray[np.uint16]]:
    """Return a JPEG's frame and every MCU's length in bytes, its closing marker included.

    Raises ValueError where it is no baseline JPEG of one scan, three components and a restart interval of one.
    """
    try:
        return _scan(jpeg)
    except IndexError:
        raise ValueError("broken header") from None


def _scan(jpeg: bytes) -> tuple[Frame, NDArray[np.uint16]]:
    data = np.frombuffer(jpeg, np.uint8)
    if jpeg[:2] != b"\xff\xd8":
        raise ValueError("no JPEG")
    at, sof, interval = 2, 0, 0
    while True:
        if at + 4 > len(jpeg) or jpeg[at] != 0xFF:
            raise ValueError("broken header")
        kind, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if kind == 0xC0:
            sof = at
        elif 0xC1 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            raise ValueError("not baseline")
        elif kind == 0xDD:
            interval = int.from_bytes(jpeg[at + 4 : at + 6], "big")
        at += 2 + length
        if kind == 0xDA:
            break
    if not sof or interval != 1:
        raise ValueError("restart interval is not one MCU")
    height, width = (int.from_bytes(jpeg[sof + i : sof + i + 2], "big") for i in (5, 7))
    sampling = tuple(jpeg[sof + i] for i in range(11, 11 + 3 * jpeg[sof + 9], 3))
    mcu = next((size for size, factors in SAMPLING.items() if factors == sampling), None)
    if mcu is None:
        raise ValueError("neither 4:4:4 nor 4:2:0")
    body = data[at:]
    markers = (body[:-1] == 0xFF) & (body[1:] >= RESTART) & (body[1:] <= END)
    ends = np.flatnonzero(markers) + 2
    frame = Frame(at, sof, height, width, mcu)
    if len(ends) != frame.rows * frame.columns or ends[-1] != len(body) or body[-1] != END:
        raise ValueError("an MCU is missing")
    lengths = np.diff(ends, prepend=0)
    if lengths.max() > np.iinfo(np.uint16).max:
        raise ValueError("an MCU is too long")
    return frame, lengths.astype(np.uint16)


def cut(
    data: NDArray[np.uint8], frame: Frame, lengths: NDArray[np.uint16], top: int, left: int, height: int, width: int
) -> tuple[NDArray[np.uint8], int, int, int, int]:
    """Return a JPEG (1-D uint8) that covers a rectangle, the rectangle's top and left in it, and its height and width.

    data: the whole JPEG (1-D uint8); lengths: of its MCUs (rows * columns); the rectangle lies inside, in pixels.
    """
    mcu, columns = frame.mcu, frame.columns
    reach = 1 if mcu == 16 else 0
    first_row, last_row = max(top - reach, 0) // mcu, min(-(-(top + height + reach) // mcu), frame.rows)
    first, last = max(left - reach, 0) // mcu, min(-(-(left + width + reach) // mcu), columns)
    new_height = min(last_row * mcu, frame.height) - first_row * mcu
    new_width = min(last * mcu, frame.width) - first * mcu
    used = lengths[: last_row * columns]
    ends = used.cumsum(dtype=np.int64)
    ends += frame.header
    inside = ends.reshape(last_row, columns)[first_row:, first:last]
    kept = used.reshape(last_row, columns)[first_row:, first:last]
    starts = (inside[:, 0] - kept[:, 0]).tolist()
    pieces = [data[: frame.header], *(data[a:b] for a, b in zip(starts, inside[:, -1].tolist(), strict=True))]
    out = np.concatenate(pieces)
    at = frame.sof + 5
    out[at : at + 4] = (new_height >> 8, new_height & 255, new_width >> 8, new_width & 255)
    markers = kept.ravel().cumsum(dtype=np.int64)
    markers += frame.header - 1
    out[markers] = RESTART + (np.arange(len(markers)) & 7)
    out[-1] = END
    return out, top - first_row * mcu, left - first * mcu, new_height, new_width
