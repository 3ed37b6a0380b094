"""How the wrong .npy, .npz and .safetensors files of tests/data_bad were made.  Run there; needs nothing but Python."""
import io, json, struct, zipfile, zlib

def npy(header, cells=b"", version=1):
    h = header.encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(h)) + h + cells

def head(descr="'<f8'", shape="(2,)", order="False", more=""):
    return "{'descr': %s, 'fortran_order': %s, 'shape': %s, %s}\n" % (descr, order, shape, more)

def put(name, data):
    open(name, "wb").write(data)

two = struct.pack("<2d", 1, 2)
put("empty.npy", b"")
put("magic.npy", b"PICKLE12345678")
put("version.npy", npy(head(), two, 9))
put("header_short.npy", npy(head(), two)[:40])
put("header_python.npy", npy("{'descr': f8}\n", two))
put("header_twice.npy", npy(head(more="'descr': '<f8'"), two))
put("no_shape.npy", npy("{'descr': '<f8', 'fortran_order': False}\n", two))
put("order.npy", npy(head(order="Perhaps"), two))
put("negative.npy", npy(head(shape="(-2,)"), two))
put("rank.npy", npy(head(shape="(" + "1," * 17 + ")"), two))
put("enormous.npy", npy(head(shape="(9999999999, 9999999999)"), two))
put("cut_short.npy", npy(head(), two[:9]))
put("object.npy", npy(head(descr="'|O'"), b"\x80\x04K\x01."))
put("complex.npy", npy(head(descr="'<c16'"), two))
put("date.npy", npy(head(descr="'<M8[ns]'"), two))
put("fields.npy", npy(head(descr="[('a', '<f8')]"), two))
put("long_double.npy", npy(head(descr="'<f16'", shape="(1,)"), two))
put("unsigned.npy", npy(head(descr="'<u8'"), struct.pack("<2Q", 1, 2**63)))
put("truth.npy", npy(head(descr="'|b1'"), b"\x01\x02"))
put("surrogate.npy", npy(head(descr="'<U2'", shape="(1,)"), struct.pack("<2I", 0xD800, 0)))
put("nul_in_text.npy", npy(head(descr="'|S3'", shape="(1,)"), b"a\0b"))
put("latin1.npy", npy(head(descr="'|S2'"), b"a\0\xe4\0"))

def archive(method=zipfile.ZIP_STORED, name="x.npy", data=npy(head(), two)):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        z.writestr(zipfile.ZipInfo(name), data, method)
    return bytearray(out.getvalue())

put("empty.npz", b"")
put("text.npz", b"this is not an archive\n" * 4)
put("cut_short.npz", archive()[:-30])
put("no_array.npz", archive(name="readme.txt"))
put("method.npz", archive(zipfile.ZIP_BZIP2))
a = archive(); a[a.rfind(b"PK\x01\x02") + 8] |= 1; put("encrypted.npz", a)
a = archive(); a[a.rfind(two)] ^= 1; put("checksum.npz", a)
a = archive(); i = a.rfind(b"PK\x01\x02"); a[i + 42:i + 46] = struct.pack("<I", 9999); put("outside.npz", a)
a = archive(); i = a.rfind(b"PK\x01\x02"); a[i + 42:i + 46] = struct.pack("<I", 3); put("elsewhere.npz", a)
a = archive(); i = a.rfind(b"PK\x05\x06"); a[i + 10:i + 12] = struct.pack("<H", 2); put("count.npz", a)
a = archive(zipfile.ZIP_DEFLATED, data=npy(head(shape="(2000,)"), two * 1000)); i = a.find(b"PK\x03\x04") + 30 + 5; a[i + 20:i + 60] = b"\xff" * 40; put("deflate.npz", a)
a = archive(zipfile.ZIP_DEFLATED); i = a.rfind(b"PK\x01\x02"); a[i + 24:i + 28] = struct.pack("<I", 2**31); put("bomb.npz", a)

def tensors(header, cells=b""):
    h = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(h)) + h + cells

def one(dtype="F64", shape=[2], offsets=[0, 16]):
    return {"x": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}

put("short.safetensors", b"1234")
put("header.safetensors", struct.pack("<Q", 2**40) + b"{}")
put("not_json.safetensors", tensors(b"{x}", two))
put("list.safetensors", tensors(b"[]", two))
put("no_type.safetensors", tensors({"x": {"shape": [2]}}, two))
put("type.safetensors", tensors(one("F8_E4M3"), two))
put("shape.safetensors", tensors(one(shape=[-2]), two))
put("rank.safetensors", tensors(one(shape=[1] * 17), two))
put("outside.safetensors", tensors(one(offsets=[8, 24]), two))
put("bytes.safetensors", tensors(one(offsets=[0, 8]), two))
put("enormous.safetensors", tensors(one(shape=[2**62, 4]), two))
put("bool.safetensors", tensors(one("BOOL", [2], [0, 2]), b"\x01\x07"))
