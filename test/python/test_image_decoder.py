"""ImageDecoder against Pillow, which onnx's reference evaluator uses, and with streams that are cut or corrupted."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import onnx.parser
import onnxc
import pytest
from conftest import BUILD
from PIL import Image

# What Pillow writes or opens beside what is compared here stays quiet.
Image.MAX_IMAGE_PIXELS = None

CHANNELS = {"RGB": 3, "BGR": 3, "Grayscale": 1}
rng = np.random.default_rng(7)


def smooth(height, width, channels):
    """A picture with structure, some noise and saturated places."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    values = 128 + 140 * np.sin(x / 5 + c) * np.cos(y / 7 - c) + rng.normal(0, 8, y.shape)
    return np.clip(values, 0, 255).astype(np.uint8)


RGB = Image.fromarray(smooth(37, 53, 3))
RGBA = Image.fromarray(smooth(37, 53, 4), "RGBA")
GREY = Image.fromarray(smooth(37, 53, 1)[..., 0])
GREY_ALPHA = Image.merge("LA", (GREY, GREY.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
CMYK = Image.fromarray(smooth(37, 53, 4), "CMYK")
PALETTE = RGB.quantize(200)
BITS = GREY.convert("1")
WIDE = Image.fromarray(rng.integers(0, 600, (37, 53), np.uint16))
INTEGERS = Image.fromarray(rng.integers(-100, 400, (37, 53), np.int32))
FLOATS = Image.fromarray(rng.uniform(-100, 400, (37, 53)).astype(np.float32))


def saved(image, format, **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def png(width, height, depth, color, rows, interlaced=False, chunks=b""):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunks + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def pngRows(height, rowBytes):
    return b"".join(b"\0" + rng.bytes(rowBytes) for _ in range(height))


def interlacedPng():
    """Adam7, 8-bit RGB, 13 x 11."""
    rows = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        rows += pngRows(len(range(y0, 11, dy)), 3 * len(range(x0, 13, dx)))
    return png(13, 11, 8, 2, rows, interlaced=True)


def bmp(width, height, bits, pixels, compression=0, masks=b"", palette=b"", header=40):
    rest = struct.pack("<IIiiII", compression, len(pixels), 0, 0, len(palette) // 4, 0)
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHH", header, width, height, 1, bits) + rest + masks.ljust(header - 40, b"\0")
        if header == 40:
            info += masks
    at = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", at + len(pixels), 0, 0, at) + info + palette + pixels


def masks(*values):
    return struct.pack(f"<{len(values)}I", *values)


def colors(count):
    return rng.bytes(4 * count)


# A row of a few runs, an end of line, a delta, an absolute run, the end.
RLE8 = bytes([5, 7, 3, 1, 2, 9, 0, 0, 4, 2, 0, 2, 3, 1, 2, 5, 0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0, 0, 1])
RLE4 = bytes([5, 0x12, 3, 0x34, 0, 0, 0, 5, 0x12, 0x34, 0x50, 0, 0, 0, 6, 0x77, 0, 0, 0, 1])


def tiff(width, height, entries, blocks, blockTags, order="<"):
    """A TIFF file of given tags, {tag: (type, values)}, uncompressed."""
    sizes = {1: 1, 3: 2, 4: 4}
    codes = {1: "B", 3: "H", 4: "I"}
    data = b"".join(blocks)
    at, offsets = 8, []
    for block in blocks:
        offsets.append(at)
        at += len(block)
    entries = {256: (4, [width]), 257: (4, [height]), 259: (3, [1]), **entries}
    entries[blockTags[0]] = (4, offsets)
    entries[blockTags[1]] = (4, [len(block) for block in blocks])
    extra = 8 + len(data) + len(data) % 2 + 2 + 12 * len(entries) + 4
    directory, tail = struct.pack(order + "H", len(entries)), b""
    for tag, (kind, values) in sorted(entries.items()):
        packed = struct.pack(f"{order}{len(values)}{codes[kind]}", *values)
        assert len(packed) == sizes[kind] * len(values)
        if len(packed) > 4:
            field = struct.pack(order + "I", extra + len(tail))
            tail += packed + b"\0" * (len(packed) % 2)
        else:
            field = packed.ljust(4, b"\0")
        directory += struct.pack(order + "HHI", tag, kind, len(values)) + field
    start = 8 + len(data) + len(data) % 2
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, start)
    return head + data + b"\0" * (len(data) % 2) + directory + b"\0\0\0\0" + tail


def strips(width, height, bits, photometric, order="<", blocks=None, tags=None):
    """One strip of random samples."""
    rowBytes = (width * sum(bits) + 7) // 8
    entries = {258: (3, bits), 262: (3, [photometric]), 277: (3, [len(bits)]), 278: (4, [height]), **(tags or {})}
    return tiff(width, height, entries, blocks or [rng.bytes(height * rowBytes)], (273, 279), order)


def tiles(bits, photometric):
    """40 x 21 in tiles of 16 x 16."""
    entries = {258: (3, bits), 262: (3, [photometric]), 277: (3, [len(bits)]), 322: (4, [16]), 323: (4, [16])}
    return tiff(40, 21, entries, [rng.bytes(256 * sum(bits) // 8) for _ in range(6)], (324, 325))


def oriented(orientation):
    return strips(5, 3, [8, 8, 8], 2, tags={274: (3, [orientation])})


def exif(orientation):
    data = Image.Exif()
    data[0x112] = orientation
    return data.tobytes()


def plain(magic, maximum, width, height, count, form="{} "):
    values = rng.integers(0, maximum + 1, count)
    head = f"{magic} # a comment\n{width} {height}\n" + (f"{maximum}\n" if magic != "P1" else "")
    return (head + "".join(form.format(v) for v in values)).encode() + b"\n"


COMPRESSIONS = ("raw", "tiff_lzw", "packbits", "tiff_deflate", "tiff_adobe_deflate")
CASES = {
    **{f"jpeg-quality-{q}": saved(RGB, "JPEG", quality=q) for q in (5, 75, 95)},
    **{f"jpeg-subsampling-{s}": saved(RGB, "JPEG", subsampling=s) for s in (0, 1, 2)},
    "jpeg-grey": saved(GREY, "JPEG"),
    "jpeg-cmyk": saved(CMYK, "JPEG"),
    "jpeg-progressive": saved(RGB, "JPEG", progressive=True),
    "jpeg-restarts": saved(RGB, "JPEG", restart_marker_blocks=2),
    "jpeg-rgb": saved(RGB, "JPEG", keep_rgb=True),
    "jpeg-orientation-is-not-applied": saved(RGB, "JPEG", exif=exif(6)),
    "png-rgb": saved(RGB, "PNG"),
    "png-rgba": saved(RGBA, "PNG"),
    "png-grey": saved(GREY, "PNG"),
    "png-grey-alpha": saved(GREY_ALPHA, "PNG"),
    "png-palette": saved(PALETTE, "PNG"),
    "png-palette-transparent": saved(PALETTE, "PNG", transparency=3),
    "png-bits": saved(BITS, "PNG"),
    "png-wide-grey": saved(WIDE, "PNG"),
    **{f"png-grey-{d}": png(9, 5, d, 0, pngRows(5, (9 * d + 7) // 8)) for d in (1, 2, 4, 8)},
    "png-wide-rgb": png(9, 5, 16, 2, pngRows(5, 54)),
    "png-wide-grey-alpha": png(9, 5, 16, 4, pngRows(5, 36)),
    "png-wide-rgba": png(9, 5, 16, 6, pngRows(5, 72)),
    "png-interlaced": interlacedPng(),
    "webp-lossy": saved(RGB, "WEBP"),
    "webp-lossless": saved(RGB, "WEBP", lossless=True),
    "webp-lossy-alpha": saved(RGBA, "WEBP"),
    "webp-lossless-alpha": saved(RGBA, "WEBP", lossless=True, exact=True),
    "webp-animation": saved(RGB, "WEBP", save_all=True, append_images=[RGB.rotate(180)]),
    "bmp-rgb": saved(RGB, "BMP"),
    "bmp-rgba": saved(RGBA, "BMP"),
    "bmp-grey": saved(GREY, "BMP"),
    "bmp-palette": saved(PALETTE, "BMP"),
    "bmp-bits": saved(BITS, "BMP"),
    "bmp-bits-colors": bmp(11, 3, 1, rng.bytes(12), palette=colors(2)),
    "bmp-4": bmp(11, 3, 4, rng.bytes(24), palette=colors(16)),
    "bmp-top-down": bmp(5, -3, 24, rng.bytes(48)),
    "bmp-555": bmp(5, 3, 16, rng.bytes(36)),
    "bmp-565": bmp(5, 3, 16, rng.bytes(36), 3, masks(0xF800, 0x7E0, 0x1F)),
    "bmp-32": bmp(5, 3, 32, rng.bytes(60)),
    "bmp-masks": bmp(5, 3, 32, rng.bytes(60), 3, masks(0xFF000000, 0xFF0000, 0xFF00)),
    "bmp-masks-alpha": bmp(5, 3, 32, rng.bytes(60), 3, masks(0xFF, 0xFF00, 0xFF0000, 0xFF000000), header=108),
    "bmp-os2": bmp(5, 3, 24, rng.bytes(48), header=12),
    "bmp-rle8": bmp(11, 4, 8, RLE8, 1, palette=colors(16)),
    "bmp-rle4": bmp(11, 3, 4, RLE4, 2, palette=colors(16)),
    "pbm": saved(BITS, "PPM"),
    "pgm": saved(GREY, "PPM"),
    "ppm": saved(RGB, "PPM"),
    "pgm-wide": saved(WIDE, "PPM"),
    "pfm": saved(FLOATS, "PPM"),
    "ppm-maximum-100": b"P6 9 5 100\n" + bytes(rng.integers(0, 101, 135, np.uint8)),
    "ppm-wide": b"P6 9 5 65535\n" + rng.bytes(270),
    "pgm-maximum-1000": b"P5 9 5 1000\n" + rng.integers(0, 1001, 45).astype(">u2").tobytes(),
    "plain-pbm": plain("P1", 1, 9, 5, 45, "{}"),
    "plain-pgm": plain("P2", 77, 9, 5, 45),
    "plain-ppm": plain("P3", 255, 9, 5, 135),
    "plain-pgm-comments": b"P2\n2 2\n255\n1 2 # three\n3\t4\n",
    **{f"tiff-{c}": saved(RGB, "TIFF", compression=c) for c in COMPRESSIONS},
    "tiff-predictor": saved(RGB, "TIFF", compression="tiff_lzw", tiffinfo={317: 2}),
    "tiff-jpeg": saved(RGB, "TIFF", compression="jpeg"),
    "tiff-jpeg-grey": saved(GREY, "TIFF", compression="jpeg"),
    "tiff-group3": saved(BITS, "TIFF", compression="group3"),
    "tiff-group4": saved(BITS, "TIFF", compression="group4"),
    "tiff-rgba": saved(RGBA, "TIFF"),
    "tiff-cmyk": saved(CMYK, "TIFF"),
    "tiff-grey": saved(GREY, "TIFF"),
    "tiff-grey-alpha": saved(GREY_ALPHA, "TIFF"),
    "tiff-palette": saved(PALETTE, "TIFF"),
    "tiff-bits": saved(BITS, "TIFF"),
    "tiff-wide": saved(WIDE, "TIFF"),
    "tiff-integers": saved(INTEGERS, "TIFF"),
    "tiff-floats": saved(FLOATS, "TIFF"),
    "tiff-ycbcr": saved(RGB.convert("YCbCr"), "TIFF", compression="tiff_lzw"),
    "tiff-big": saved(RGB, "TIFF", big_tiff=True),
    "tiff-white-is-zero": strips(13, 7, [1], 0),
    "tiff-white-is-zero-8": strips(13, 7, [8], 0),
    **{f"tiff-grey-{b}": strips(13, 7, [b], 1) for b in (2, 4, 12)},
    "tiff-wide-motorola": strips(13, 7, [16], 1, ">"),
    "tiff-signed": strips(13, 7, [16], 1, tags={339: (3, [2])}),
    "tiff-wide-rgb": strips(13, 7, [16] * 3, 2),
    "tiff-wide-rgb-motorola": strips(13, 7, [16] * 3, 2, ">"),
    "tiff-wide-cmyk": strips(13, 7, [16] * 4, 5),
    "tiff-rgbx": strips(13, 7, [8] * 4, 2, tags={338: (3, [0])}),
    "tiff-premultiplied": strips(13, 7, [8] * 4, 2, tags={338: (3, [1])}),
    "tiff-palette-4": strips(13, 7, [4], 3, tags={320: (3, [int(v) for v in rng.integers(0, 65536, 48)])}),
    "tiff-planes": strips(13, 7, [8] * 3, 2, blocks=[rng.bytes(91) for _ in range(3)], tags={284: (3, [2])}),
    "tiff-tiles": tiles([8, 8, 8], 2),
    "tiff-tiles-grey": tiles([8], 1),
    **{f"tiff-orientation-{o}": oriented(o) for o in range(1, 9)},
    "jpeg2000-rgb": saved(RGB, "JPEG2000"),
    "jpeg2000-rgba": saved(RGBA, "JPEG2000"),
    "jpeg2000-grey": saved(GREY, "JPEG2000"),
    "jpeg2000-grey-alpha": saved(GREY_ALPHA, "JPEG2000"),
    "jpeg2000-wide": saved(WIDE, "JPEG2000"),
    "jpeg2000-lossy": saved(RGB, "JPEG2000", irreversible=True, quality_layers=[20]),
    "jpeg2000-tiles": saved(RGB, "JPEG2000", tile_size=(16, 16)),
    "jpeg2000-signed": saved(RGB, "JPEG2000", signed=True),
    "jpeg2000-codestream": saved(RGB, "JPEG2000", no_jp2=True),
}


@pytest.fixture(scope="module")
def decoders(tmp_path_factory):
    if not (BUILD / "lib" / "libonnxc.so").exists():
        pytest.skip("the compiler is not built")
    if not (BUILD / "lib" / "onnxc" / "libonnxc_images.a").exists():
        pytest.skip("the image libraries are not installed")
    folder, sessions = tmp_path_factory.getbasetemp() / "images", {}
    folder.mkdir()
    for format in CHANNELS:
        model = onnx.parser.parse_model(
            f"""<ir_version: 10, opset_import: ["": 21]>
            decode (uint8[N] x) => (uint8[H, W, C] y) {{ y = ImageDecoder<pixel_format = "{format}">(x) }}"""
        )
        path = str(folder / f"{format}.so")
        onnxc.compile(model, path)
        sessions[format] = onnxc.InferenceSession(path)
    return sessions


def decode(session, data):
    return session.run(None, {"x": np.frombuffer(data, np.uint8)})[0]


@pytest.mark.parametrize("name", CASES)
def test_as_pillow(decoders, name):
    image = Image.open(io.BytesIO(CASES[name]))
    image.load()
    rgb = np.array(image.convert("RGB"))
    expected = {"RGB": rgb, "BGR": rgb[:, :, ::-1], "Grayscale": np.array(image.convert("L"))[:, :, None]}
    for format, session in decoders.items():
        np.testing.assert_array_equal(decode(session, CASES[name]), expected[format], err_msg=format)


REFUSED = {
    "nothing": b"",
    "text": b"no image at all",
    "gif": saved(PALETTE, "GIF"),
    "only-signature": b"\x89PNG\r\n\x1a\n",
    "huge-png": png(1 << 20, 1 << 20, 8, 0, b""),
    "huge-bmp": bmp(1 << 28, 1 << 28, 24, b""),
    "huge-ppm": b"P6 999999 999999 255\n",
    "no-pixels": b"P6 0 5 255\n",
    "cmyk-jpeg-cut": CASES["jpeg-cmyk"][:-300],
    "negative-width": bmp(-5, 3, 24, bytes(48)),
    "lzma-in-tiff": saved(RGB, "TIFF", compression="lzma"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_gives_an_empty_matrix(decoders, name):
    for format, session in decoders.items():
        assert decode(session, REFUSED[name]).shape == (0, 0, CHANNELS[format])


FUZZ = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import onnxc
session = onnxc.InferenceSession(sys.argv[2])
data = np.fromfile(sys.argv[3], np.uint8)
rng = np.random.default_rng(int(sys.argv[4]))
def run(stream):
    image = session.run(None, {"x": stream})[0]
    assert image.ndim == 3 and image.shape[2] == 3
for size in {*range(0, min(len(data), 64)), *rng.integers(0, len(data), 60).tolist()}:
    run(data[:size].copy())
for round in range(150):
    broken = data.copy()
    where = rng.integers(0, min(len(data), 80 if round % 2 else len(data)), 1 + round % 8)
    broken[where] = rng.choice(np.array([0, 1, 127, 128, 255, rng.integers(256)], np.uint8), len(where))
    run(broken)
"""
FUZZED = """jpeg-subsampling-2 jpeg-cmyk jpeg-progressive png-palette png-interlaced png-wide-grey webp-lossy webp-lossless-alpha
webp-animation bmp-4 bmp-rle8 bmp-rle4 bmp-565 pbm ppm pfm plain-pbm plain-ppm tiff-tiff_lzw tiff-jpeg tiff-group4 tiff-palette-4
tiff-planes tiff-tiles tiff-ycbcr tiff-orientation-6 jpeg2000-rgb jpeg2000-tiles jpeg2000-codestream""".split()


@pytest.mark.parametrize("name", FUZZED)
def test_survives_broken_streams(decoders, name, tmp_path, tmp_path_factory):
    """In a process of its own: a crash is a failure of this case only."""
    (tmp_path / "stream").write_bytes(CASES[name])
    model = tmp_path_factory.getbasetemp() / "images" / "RGB.so"
    command = [sys.executable, "-c", FUZZ, str(BUILD / "python"), str(model), str(tmp_path / "stream"), "1"]
    subprocess.run(command, check=True, timeout=120)
