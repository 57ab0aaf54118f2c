#!/usr/bin/env bash
# Makes this checkout ready to run: system libraries, uv and the locked Python environment.
#
# Needs git, make and Python 3.11 or 3.12. Does nothing when all is in place. Whatever it may not
# install itself it names, as one line to run. Index, proxy and certificate settings come from the
# environment and the configuration files of pip and uv, untouched.
#   KFX_NO_APT=1   never call apt-get, print the line instead
set -euo pipefail
cd "$(dirname "$0")/.."

uv_oldest=0.8.0
tools=.tools # what this script brings for itself; safe to delete
stamp=.venv/.kfx-setup
log=$tools/setup.log

say() { printf 'setup: %s\n' "$*"; }
die() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}
fresh() {
    [[ -x .venv/bin/python && "$(cat "$stamp" 2>/dev/null)" == "$PWD" ]] || return 1
    local file
    for file in uv.lock pyproject.toml tools/setup.sh; do
        [[ $stamp -nt $file ]] || return 1
    done
    .venv/bin/python -c '' 2>/dev/null # the Python it was made from may be gone
}

# --- Python -------------------------------------------------------------------------------------

python_fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null
}

find_python() {
    local name
    for name in python3 python3.12 python3.11 python; do
        if python_fits "$name"; then
            "$name" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    die "no Python 3.11 or 3.12 found (python3 is $(python3 -V 2>/dev/null || echo missing))." \
        "Install one, on Debian 12 or Ubuntu 24.04 with: sudo apt-get install -y python3"
}

# --- system packages ----------------------------------------------------------------------------

# Prints the packages that bring what can't be loaded here, a line each, alternatives with a "|".
missing_libraries() {
    [[ $(uname -s) == Linux ]] || return 0
    "$python" - <<'PROBE'
import ctypes

WANTED = {
    "libGL.so.1": "libgl1",  # cv2, moderngl
    "libEGL.so.1": "libegl1",  # moderngl without a window system
    "libgthread-2.0.so.0": "libglib2.0-0t64|libglib2.0-0",  # cv2; renamed in Ubuntu 24.04
}
DRIVER = "libgl1-mesa-dri"
PLATFORM_DEVICE = 0x313F


def load(name):
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None


def a_driver_starts(egl):
    """Whether any EGL device initializes; asks as moderngl does."""
    address = egl.eglGetProcAddress
    address.restype, address.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    query, display = address(b"eglQueryDevicesEXT"), address(b"eglGetPlatformDisplayEXT")
    if not query or not display:
        return False
    pointer, number = ctypes.c_void_p, ctypes.c_int
    query = ctypes.CFUNCTYPE(number, number, pointer, pointer)(query)
    display = ctypes.CFUNCTYPE(pointer, number, pointer, pointer)(display)
    egl.eglInitialize.argtypes = [pointer] * 3
    devices, count = (pointer * 16)(), number()
    if not query(16, devices, ctypes.byref(count)):
        return False
    shown = [display(PLATFORM_DEVICE, device, None) for device in devices[: count.value]]
    return any(egl.eglInitialize(one, None, None) for one in shown if one)


loaded = {name: load(name) for name in WANTED}
for name, package in WANTED.items():
    if loaded[name] is None:
        print(package)
egl = loaded["libEGL.so.1"]
if egl is None or not a_driver_starts(egl):
    print(DRIVER)
PROBE
}

# Of the alternatives "a|b" the first one apt knows, else the last.
choose_package() {
    local name
    for name in ${1//|/ }; do
        apt-cache show "$name" >/dev/null 2>&1 && break
    done
    printf '%s\n' "$name"
}

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
    [[ -z ${KFX_NO_APT:-} ]] || return 1
    [[ $(id -u) == 0 ]] || sudo -n true 2>/dev/null
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=60 \
        install -y --no-install-recommends "$@" </dev/null
}

install_packages() {
    local alternatives=("$@") packages=() one line
    if ! command -v apt-get >/dev/null; then
        die "this machine lacks: ${alternatives[*]} (Debian's names)." \
            "Install the same with your package manager, then run this again."
    fi
    for one in "${alternatives[@]}"; do packages+=("$(choose_package "$one")"); done
    line="apt-get update && sudo apt-get install -y --no-install-recommends ${packages[*]}"
    if ! may_install; then
        die "this machine lacks some packages that only root may install." \
            "Run this one line, then the same command again:" "  sudo $line"
    fi
    say "installing ${packages[*]} with apt-get"
    apt_install "${packages[@]}" >"$log" 2>&1 && return
    # The package lists are missing or old.
    as_root apt-get update </dev/null >"$log" 2>&1 || true
    packages=()
    for one in "${alternatives[@]}"; do packages+=("$(choose_package "$one")"); done
    apt_install "${packages[@]}" >>"$log" 2>&1 && return
    grep -E '^(E|Err)[: ]' "$log" | tail -n 5 >&2 || tail -n 5 "$log" >&2
    die "apt-get couldn't install them: it is locked, or has no network, or no such package." \
        "When that is mended, run this one line, then the same command again:" "  sudo $line"
}

# --- uv -----------------------------------------------------------------------------------------

uv_fits() {
    local found
    found=$("$1" --version 2>/dev/null | awk '{print $2}') || return 1
    [[ -n $found && $(printf '%s\n' "$uv_oldest" "$found" | sort -V | head -n 1) == "$uv_oldest" ]]
}

find_uv() {
    local one
    for one in uv "$tools/venv/bin/uv" "$tools/site/bin/uv"; do
        if uv_fits "$one"; then
            command -v "$one"
            return
        fi
    done
    return 1
}

has_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }
has_pip() { "$python" -m pip --version >/dev/null 2>&1; }

bring_uv() {
    local want="uv>=$uv_oldest"
    say "bringing uv into $tools"
    if has_venv; then
        "$python" -m venv --clear "$tools/venv" >"$log" 2>&1 &&
            "$tools/venv/bin/python" -m pip install --disable-pip-version-check "$want" \
                >>"$log" 2>&1 && return
    elif has_pip; then
        "$python" -m pip install --disable-pip-version-check --target "$tools/site" "$want" \
            >"$log" 2>&1 && return
    fi
    grep -E '^ERROR' "$log" >&2 || tail -n 5 "$log" >&2
    die "pip couldn't install uv (see $log)." \
        "Check the network, the proxy and PIP_CERT, or put uv on the PATH yourself."
}

# --- the environment ----------------------------------------------------------------------------

sync_environment() {
    local quiet=() chosen=() index
    [[ -t 2 ]] || quiet=(--quiet) # a terminal gets uv's progress bars, a log nothing
    .venv/bin/python -c '' 2>/dev/null && python_fits .venv/bin/python || chosen=(--python "$python")
    index=${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-${PIP_INDEX_URL:-}}}
    if [[ -z $index ]]; then
        "$uv" sync --frozen ${quiet[@]+"${quiet[@]}"} ${chosen[@]+"${chosen[@]}"}
        return
    fi
    # uv.lock carries addresses, so another index is reached by names and hashes instead.
    export UV_DEFAULT_INDEX=$index
    ((${#chosen[@]} == 0)) || "$uv" venv --quiet --clear "${chosen[@]}" .venv
    "$uv" export --quiet --frozen --no-emit-project --output-file "$tools/locked.txt" &&
        "$uv" pip sync ${quiet[@]+"${quiet[@]}"} --python .venv/bin/python \
            --require-hashes "$tools/locked.txt" &&
        "$uv" pip install ${quiet[@]+"${quiet[@]}"} --python .venv/bin/python --no-deps --editable .
}

# Prints the renderer of a fresh context once everything kfx loads has been loaded.
try_everything() {
    .venv/bin/python - 2>"$log" <<'TRY'
import sys

import av, cv2, mediapipe, moderngl, onnxruntime  # noqa: E401

headless = {"backend": "egl"} if sys.platform.startswith("linux") else {}
print(moderngl.create_context(standalone=True, require=330, **headless).info["GL_RENDERER"])
TRY
}

# ------------------------------------------------------------------------------------------------

fresh && exit 0

unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT PYTHONHOME PYTHONPATH
export UV_PYTHON_DOWNLOADS=never
mkdir -p "$tools"
echo '*' >"$tools/.gitignore"

python=$(find_python) || exit 1
libraries=$(missing_libraries)
read -r -a needed <<<"${libraries//$'\n'/ }"
if ! find_uv >/dev/null && ! has_venv && ! has_pip; then
    needed+=("$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')")
fi
((${#needed[@]} == 0)) || install_packages "${needed[@]}"

find_uv >/dev/null || bring_uv
uv=$(find_uv) || die "uv was installed and doesn't run; delete $tools and try again."

say "syncing Python packages from uv.lock (1.4 GB on disk; minutes the first time)"
sync_environment ||
    die "uv couldn't install the locked packages." \
        "Check the network, the proxy and SSL_CERT_FILE, then run the same command again."

if ! renderer=$(try_everything); then
    tail -n 3 "$log" >&2
    die "the packages are there and can't be loaded, or no OpenGL 3.3 context can be made." \
        "Install the library named above, or this machine's graphics driver, and run this again."
fi
printf '%s\n' "$PWD" >"$stamp"
say "ready: $(.venv/bin/python -V), OpenGL by $renderer"
