"""Lets libxlutil read configurations and specifications of disks.

Each line of standard input is `cfg` or `disk`, a blank, and a text in hexadecimal digits; the
answer is a line of JSON: null if libxlutil refuses the text, else what it read, bytes in
hexadecimal digits.

The structures are those of Xen 4.17 (libxlu_internal.h, libxl_types.idl).
"""

import json
import sys
from ctypes import (
    CDLL, POINTER, Structure, Union, byref, c_bool, c_char_p, c_int, c_uint32, c_void_p,
)

XEN = "4.17"


class Value(Structure):
    pass


class Items(Structure):
    _fields_ = [("room", c_int), ("count", c_int), ("values", POINTER(POINTER(Value)))]


class Content(Union):
    _fields_ = [("string", c_char_p), ("list", Items)]


Value._fields_ = [("type", c_int), ("content", Content), ("place", c_int * 4)]


class Setting(Structure):
    pass


Setting._fields_ = [
    ("next", POINTER(Setting)), ("name", c_char_p), ("value", POINTER(Value)),
    ("op", c_int), ("line", c_int),
]


class Config(Structure):
    _fields_ = [("settings", POINTER(Setting)), ("report", c_void_p), ("source", c_char_p)]


class Disk(Structure):
    _fields_ = [
        ("backend_domid", c_uint32), ("backend_domname", c_char_p), ("pdev_path", c_char_p),
        ("vdev", c_char_p), ("backend", c_int), ("format", c_int), ("script", c_char_p),
        ("removable", c_int), ("readwrite", c_int), ("is_cdrom", c_int),
        ("direct_io_safe", c_bool), ("discard_enable", c_int), ("specification", c_int),
        # The rest is not looked at; there is room for it.
        ("rest", c_int * 256),
    ]


libc = CDLL(None)
libc.fopen.restype = c_void_p
xlu = CDLL(f"libxlutil.so.{XEN}")
xlu.xlu_cfg_init.restype = POINTER(Config)
xlu.xlu_cfg_init.argtypes = [c_void_p, c_char_p]
xlu.xlu_cfg_readdata.argtypes = [POINTER(Config), c_char_p, c_int]
xlu.xlu_cfg_destroy.argtypes = [POINTER(Config)]
xl = CDLL(f"libxenlight.so.{XEN}")
report = libc.fopen(b"/dev/null", b"w")


def new():
    return xlu.xlu_cfg_init(report, b"text")


def value(at):
    if at.contents.type == 0:
        return at.contents.content.string.hex()
    items = at.contents.content.list
    return [value(items.values[index]) for index in range(items.count)]


def cfg(text):
    """All settings, the last one first, as xl looks for them."""
    config = new()
    try:
        if xlu.xlu_cfg_readdata(config, text, len(text)):
            return None
        found = []
        at = config.contents.settings
        while at:
            found.append([at.contents.name.hex(), value(at.contents.value)])
            at = at.contents.next
        return found
    finally:
        xlu.xlu_cfg_destroy(config)


def disk(text):
    """The fields of the device."""
    config, device = new(), Disk()
    xl.libxl_device_disk_init(byref(device))
    texts = (c_char_p * 1)(text)
    if xlu.xlu_disk_parse(config, 1, texts, byref(device)):
        return None
    fields = {}
    for name, kind in Disk._fields_[:-1]:
        field = getattr(device, name)
        fields[name] = (field or b"").hex() if kind is c_char_p else int(field)
    return fields


# What the structures are taken for is what they are.
assert cfg(b"a='x'\nb=[1,['y']]\n") == [["62", ["31", ["79"]]], ["61", "78"]]
known = disk(b"backend=d,script=s,vdev=xvda,access=r,format=vhd,discard,target=/a")
assert [bytes.fromhex(known[name]) for name in ("backend_domname", "pdev_path", "vdev", "script")] \
    == [b"d", b"/a", b"xvda", b"s"]
assert known["readwrite"] == 0 and disk(b"vdev=xvda,target=/a")["readwrite"] == 1

for line in sys.stdin:
    kind, text = line.split(" ")
    answer = {"cfg": cfg, "disk": disk}[kind](bytes.fromhex(text))
    print(json.dumps(answer), flush=True)
