"""Root file systems of Debian releases, and commands inside of them. Needs root and debootstrap.

A command runs in mount and process namespaces of its own, which end with this program however it ends: nothing stays
mounted and no process stays behind.
"""
import shutil
import subprocess
from pathlib import Path

# What the image debian:13-slim has beside a minimal system: files that dpkg leaves out.
SLIM = """path-exclude /usr/share/doc/*
path-exclude /usr/share/info/*
path-exclude /usr/share/lintian/overrides/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
path-include /usr/share/doc/*/copyright
path-include /usr/share/locale/locale.alias
"""

INSIDE = r"""
set -e
root=$1 folder=$2 user=$3 binds=$4
shift 4
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
touch "$root/etc/resolv.conf"
mount --bind "$(realpath /etc/resolv.conf)" "$root/etc/resolv.conf"
while IFS=: read -r from to; do
  [ -n "$from" ] || continue
  mkdir -p "$root$to"
  mount --bind "$from" "$root$to"
done <<<"$binds"
exec chroot --userspec="$user" "$root" /bin/sh -c 'cd "$1" && shift && exec "$@"' sh "$folder" "$@"
"""


def make(release, root, copy_of=None, slim=False):
    """A minimal system in the folder `root`, made anew: by debootstrap, or as a copy of another one."""
    root = Path(root)
    remove(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    if copy_of:
        subprocess.run(["cp", "-a", str(copy_of), str(root)], check=True)
    else:
        subprocess.run(["debootstrap", "--variant=minbase", release, str(root)], check=True, stdout=subprocess.DEVNULL)
    if slim:
        (root / "etc/dpkg/dpkg.cfg.d/docker").write_text(SLIM)
        for folder in ("doc", "info", "lintian/overrides", "locale", "man"):
            for file in sorted((root / "usr/share" / folder).rglob("*"), reverse=True):
                if file.is_dir() and not file.is_symlink():
                    if not any(file.iterdir()):
                        file.rmdir()
                elif not (file.name == "copyright" or file.name == "locale.alias"):
                    file.unlink()
    for folder in ("var/cache/apt/archives", "var/lib/apt/lists"):
        for file in (root / folder).iterdir():
            if file.is_file() and file.name != "lock":
                file.unlink()
    return root


def remove(root):
    if Path(root).exists():
        shutil.rmtree(root)


def run(root, command, folder="/", user="root", environment=None, binds=(), **options):
    """Runs a command, a list of words, in a root; `binds` are (folder here, folder there). Fails when it fails."""
    passwd = dict((line.split(":")[0], line.split(":")) for line in (Path(root) / "etc/passwd").read_text().splitlines())
    row = passwd.get(user) or next(r for r in passwd.values() if r[2] == user)
    variables = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": row[5]}
    variables.update(environment or {})
    given = "\n".join(f"{here}:{there}" for here, there in binds)
    return subprocess.run(
        ["setpriv", "--pdeathsig", "KILL",
         "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "bash", "-c", INSIDE, "bash",
         str(Path(root).resolve()), str(folder), f"{row[2]}:{row[3]}", given, *command],
        env=variables, check=options.pop("check", True), text=True, **options)


def sizes(root):
    """Bytes of a root's files as an image's layers count them, and compressed."""
    packed = subprocess.Popen(["tar", "-C", str(root), "--one-file-system", "--exclude=./proc/*", "--exclude=./sys/*",
                               "--exclude=./dev/*", "-c", "."], stdout=subprocess.PIPE)
    count = subprocess.run(["bash", "-c", "tee >(gzip -6 | wc -c >&2) | wc -c; wait"], stdin=packed.stdout,
                           capture_output=True, text=True, check=True)
    if packed.wait() != 0:
        raise RuntimeError(f"tar of {root} failed")
    return int(count.stdout), int(count.stderr)
