#!/usr/bin/env bash
# Does what a newcomer does, on a bare Debian built in a folder: make demo, make test, pip install.
#
# usage: tools/newcomer.sh [options]            (as root, with debootstrap installed)
#   --worktree      take the files as they are here; default: a clone of the committed HEAD
#   --user          as an ordinary user: make must first print the one line for root, which is run
#   --only "a b"    of the steps setup demo test wheel only these; default: demo test wheel
#   --suite NAME    Debian suite; default: bookworm
#   --mirror URL    default: where this machine's apt gets that suite, else debootstrap's own
#   --base FILE     tar of the bare system; made when absent, saves a minute the next time
#   --shared        put ../shared beside the checkout, for the tests that read it
#   --keep          leave the folder; it is removed otherwise
# The bare system has this machine's certificates, proxies and pip, uv and apt settings, so that it
# reaches the same servers; it has none of its caches. Everything is mounted in a mount namespace
# of its own, so nothing stays mounted whatever happens.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

worktree='' user='' steps="demo test wheel" suite=bookworm mirror='' base='' keep='' shared=''
all=("$@")
while (($#)); do
    case $1 in
        --worktree) worktree=1 ;;
        --user) user=newcomer ;;
        --shared) shared=1 ;;
        --keep) keep=1 ;;
        --only) steps=$2 && shift ;;
        --suite) suite=$2 && shift ;;
        --mirror) mirror=$2 && shift ;;
        --base) base=$2 && shift ;;
        *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" && exit 2 ;;
    esac
    shift
done

say() { printf '\n--- newcomer: %s\n' "$*"; }
die() {
    printf 'newcomer: %s\n' "$*" >&2
    exit 1
}

[[ $(id -u) == 0 ]] || die "needs root, for debootstrap and chroot"
[[ -n $base && -s $base ]] || command -v debootstrap >/dev/null ||
    die "needs debootstrap: apt-get install -y debootstrap"
if [[ -z ${KFX_NEWCOMER_INSIDE:-} ]]; then
    export KFX_NEWCOMER_INSIDE=1 # mounts and processes below end with this one
    exec unshare --mount --pid --fork --kill-child --propagation private \
        bash "$root/tools/newcomer.sh" ${all[@]+"${all[@]}"}
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/kfx-newcomer.XXXXXX")
bare=$work/root
failed=()

clean_up() {
    local place
    for place in dev/shm dev sys proc; do umount "$bare/$place" 2>/dev/null || true; done
    if [[ -n $keep ]]; then
        echo "left in $work"
    elif grep -qF " $bare/" /proc/self/mountinfo; then
        echo "something is still mounted, so nothing was removed: $work" >&2
    else
        rm -rf --one-file-system "$work"
    fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# --- the bare system ----------------------------------------------------------------------------

build() {
    [[ -n $mirror ]] || mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' \
        'Created-By: Packages' 2>/dev/null | awk -v s="$suite" '$1 == s {print $2; exit}') || true
    debootstrap --variant=minbase --include=git,make,python3,ca-certificates \
        "$suite" "$bare" ${mirror:+"$mirror"} >"$work/debootstrap.log" 2>&1 || {
        tail -n 5 "$work/debootstrap.log" >&2
        die "debootstrap failed"
    }
}

# Copies a file or folder of this machine to the same path inside.
copy_in() {
    [[ -e $1 ]] || return 0
    mkdir -p "$bare$(dirname "$1")"
    rm -rf --one-file-system "${bare:?}$1"
    cp -rL "$1" "$bare$1"
}

# Variables that say how to reach servers; those naming a file bring the file.
network_variables() {
    local name value
    for name in $(compgen -e); do
        case $name in
            *_proxy | *_PROXY | SSL_CERT_FILE | *_CA_BUNDLE | GIT_SSL_CAINFO) ;;
            PIP_CERT | PIP_INDEX_URL | PIP_EXTRA_INDEX_URL | PIP_TRUSTED_HOST) ;;
            PIP_DEFAULT_TIMEOUT | UV_DEFAULT_INDEX | UV_INDEX* | UV_EXTRA_INDEX_URL) ;;
            UV_HTTP_TIMEOUT | UV_NATIVE_TLS | UV_SYSTEM_CERTS | UV_INSECURE_HOST) ;;
            *) continue ;;
        esac
        value=${!name}
        [[ $value != /* ]] || copy_in "$value"
        printf '%s=%s\n' "$name" "$value"
    done
}

furnish() {
    local path
    for path in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/uv /etc/apt/auth.conf \
        /etc/apt/auth.conf.d /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates; do
        copy_in "$path"
    done
    cp -rLn /etc/apt/trusted.gpg.d /etc/apt/keyrings "$bare/etc/apt/" 2>/dev/null || true
    apt-config dump 2>/dev/null | grep -E '^Acquire::(https?|Check-[A-Za-z-]*|Retries)[: ]' \
        >"$bare/etc/apt/apt.conf.d/99host" || true

    mount -t proc proc "$bare/proc"
    mount -t sysfs -o ro sysfs "$bare/sys"
    mount -t tmpfs -o mode=755,size=1m dev "$bare/dev" # no bind: nothing here is the host's
    local number name minor
    for number in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
        IFS=: read -r name number minor <<<"$number"
        mknod -m 666 "$bare/dev/$name" c "$number" "$minor"
    done
    ln -s /proc/self/fd "$bare/dev/fd"
    for number in 0:stdin 1:stdout 2:stderr; do
        ln -s "/proc/self/fd/${number%:*}" "$bare/dev/${number#*:}"
    done
    mkdir "$bare/dev/shm"
    mount -t tmpfs -o mode=1777 shm "$bare/dev/shm"
}

# --- the newcomer -------------------------------------------------------------------------------

# Runs a shell line inside, as the given user, in that user's home.
inside() {
    local who=$1 home=/root
    [[ $who == root ]] || home=/home/$who
    local login=(env -i "HOME=$home" "USER=$who" "TERM=dumb" "${variables[@]}"
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
    chroot --userspec="$who:$who" --groups="$who" "$bare" \
        "${login[@]}" bash -c "cd $home && $2" </dev/null
}

# Runs a step, shows its time and how it ended, and goes on.
step() {
    local title=$1 who=$2 line=$3 from status=0
    say "$title"
    from=$SECONDS
    inside "$who" "$line" >"$work/step.log" 2>&1 || status=$?
    tail -n 25 "$work/step.log"
    printf -- '--- %s: exit %s after %s s\n' "$title" "$status" $((SECONDS - from))
    ((status == 0)) || failed+=("$title")
    return "$status"
}

place_checkout() {
    local home=$1
    mkdir -p "$home/kfx"
    if [[ -n $worktree ]]; then
        (cd "$root" && git ls-files -coz --exclude-standard |
            while IFS= read -r -d '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
            tar -c --null -T -) | tar -x -C "$home/kfx"
        git -C "$home/kfx" init --quiet
        git -C "$home/kfx" add --all
    else
        git clone --quiet --no-hardlinks "$root" "$home/kfx"
        git -C "$home/kfx" remote remove origin
    fi
    [[ -z $shared ]] || cp -r "$root/../shared" "$home/shared"
}

# The ordinary user gets one line to pass on; root then runs exactly that line.
pass_line_on() {
    local line
    say "make setup as an ordinary user: must print the one line to run"
    if inside "$user" "cd kfx && make setup" >"$work/step.log" 2>&1; then
        failed+=("make setup asked root for nothing")
        return
    fi
    cat "$work/step.log"
    line=$(sed -n 's/^setup: *sudo \(apt-get update.*\)$/\1/p' "$work/step.log")
    [[ -n $line ]] || die "no line to run was printed"
    step "that line, as root" root "${line//sudo /}" || true
}

check_pictures() {
    local file
    for file in demo.mp4 demo.png; do
        if [[ -s $1/kfx/demo/$file ]]; then
            ls -l "$1/kfx/demo/$file" | awk '{print $5 " bytes", "demo/'$file'"}'
        else
            failed+=("demo/$file is missing")
        fi
    done
}

say "a bare $suite: git, make, python3 and ca-certificates"
from=$SECONDS
if [[ -n $base && -s $base ]]; then
    mkdir "$bare" && tar -x -C "$bare" -f "$base"
else
    build
    [[ -z $base ]] || tar -c -C "$bare" -f "$base" .
fi
furnish
variables=()
while IFS= read -r line; do variables+=("$line"); done <<<"$(network_variables)"
[[ -n ${variables[*]} ]] || variables=("KFX_NEWCOMER=1") # env wants no empty word
who=root home=$bare/root
if [[ -n $user ]]; then
    chroot "$bare" useradd --create-home "$user"
    who=$user home=$bare/home/$user
fi
place_checkout "$home"
[[ $who == root ]] || chroot "$bare" chown -R "$user:$user" "/home/$user"
printf 'ready after %s s; Python is %s\n' $((SECONDS - from)) "$(inside "$who" 'python3 -V')"

[[ -z $user ]] || pass_line_on
for name in $steps; do
    case $name in
        demo)
            step "make demo" "$who" "cd kfx && make demo" || true
            check_pictures "$home"
            ;;
        wheel)
            step "pip install ." "$who" "python3 -m venv plain && plain/bin/pip install --quiet \
                --disable-pip-version-check ./kfx && cd / && \$HOME/plain/bin/kfx list presets && \
                \$HOME/plain/bin/kfx list effects && \$HOME/plain/bin/kfx doctor" || true
            ;;
        *) step "make $name" "$who" "cd kfx && make $name" || true ;;
    esac
done

say "result"
if ((${#failed[@]})); then
    printf 'FAILED: %s\n' "${failed[@]}"
    exit 1
fi
echo "every step worked"
