"""Small disks for tests, and how to fill them. Needs root."""
import contextlib
import ctypes
import subprocess


def own_mounts():
    """From now on our mounts end with us; False where that cannot be."""
    apart = ctypes.CDLL(None).unshare(0x20000) == 0  # CLONE_NEWNS
    return apart and mount("--make-rprivate", "/")


def mount(*arguments):
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True).returncode == 0


@contextlib.contextmanager
def small_disk(place, size):
    """A disk of its own at a folder that is made for it."""
    place.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=" + size, "slipstream", place):
        raise OSError("%s: no disk can be mounted here" % place)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk):
    """Takes all the room there is."""
    with open(disk / "filler", "ab", buffering=0) as filler:
        for size in (65536, 4096, 512):
            with contextlib.suppress(OSError):
                while True:
                    filler.write(b"x" * size)
