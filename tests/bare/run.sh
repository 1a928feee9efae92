#!/bin/bash
# Runs both commands of the README on bare Debian systems: as root, and as an ordinary user with
# sudo, each in a checkout whose path has a space. Prints a table. By hand, as root; about
# 15 minutes a row. Not part of CI.
#
#   tests/bare/run.sh [SUITE…]      default: bookworm trixie sid
#
# BARE_USERS chooses the users (root tester), BARE_LOGS the folder for logs (a new one below /tmp,
# kept), BARE_TEST the second command's arguments (test). The systems are made by mmdebstrap from
# the mirror that this machine's apt uses, in a temporary folder, and removed at the end. What is
# mounted in them is mounted in a namespace of its own, which ends with the command.
set -u
cd "$(dirname "$0")/../.."

die() { printf 'tests/bare: %s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "root is needed, for chroot and mount"
for tool in mmdebstrap unshare chroot git tar; do
  command -v $tool >/dev/null ||
    die "there is no $tool (packages: mmdebstrap util-linux coreutils git tar)"
done
unshare --mount --pid --fork true 2>/dev/null || die "unshare cannot make namespaces here"

logs=${BARE_LOGS:-$(mktemp -d /tmp/swale-bare-logs.XXXXXX)}
mkdir -p "$logs" || exit 1
temp=$(mktemp -d /tmp/swale-bare.XXXXXX) || exit 1
trap 'rm -rf --one-file-system "$temp"' EXIT
trap 'exit 130' INT TERM HUP

checkout="/srv/a path/swale"
mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
  sed -n 's/^Debian //p' | grep -v -e security | head -n 1)
mirror=${mirror:-http://deb.debian.org/debian}

# What this machine's apt needs to reach that mirror: proxies, and dates left unchecked.
aptopts=()
while read -r line; do aptopts+=("--aptopt=$line"); done < <(apt-config dump |
  grep -iE '^Acquire::(https?::proxy|Check-Valid-Until|Check-Date) ')

# enter ROOT USER COMMAND…: runs a command inside, with /proc and the usual devices.
enter() {
  unshare --mount --pid --fork --kill-child sh -c '
    root=$1 user=$2
    shift 2
    mount -t proc proc "$root/proc"
    for device in null zero full random urandom tty; do
      [ -e "$root/dev/$device" ] || : >"$root/dev/$device"
      mount --bind "/dev/$device" "$root/dev/$device"
    done
    mkdir -p "$root/dev/shm" "$root/dev/pts"
    mount -t tmpfs tmpfs "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
    ln -sf pts/ptmx "$root/dev/ptmx"
    home=/root
    [ "$user" = root ] || home=/home/$user
    chroot --userspec="$user" "$root" env -i HOME="$home" USER="$user" LC_ALL=C.UTF-8 \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
    exit $? # the shell stays, as the process that reaps orphans
  ' sh "$@" </dev/null
}

# make_system SUITE: a tar of the smallest system that apt runs in.
make_system() {
  [ -e "$temp/$1.tar" ] ||
    mmdebstrap --mode=root --variant=apt "${aptopts[@]}" "$1" "$temp/$1.tar" "$mirror" \
      >"$logs/$1.mmdebstrap" 2>&1
}

# prepare SUITE USER: sets root, a system with this checkout and, for a user, sudo.
prepare() {
  root=$temp/$1-$2
  mkdir "$root" && tar -xpf "$temp/$1.tar" -C "$root" || return 1
  cp -L /etc/resolv.conf "$root/etc/resolv.conf"
  echo "127.0.0.1 localhost $(hostname)" >"$root/etc/hosts"
  mkdir -p "$root$checkout"
  git ls-files -z | tar --null --ignore-failed-read -cT - | tar -xC "$root$checkout" --no-same-owner
  [ "$2" = root ] && return
  enter "$root" root sh -c 'apt-get update -q && apt-get install -y -q passwd sudo' \
    >"$logs/$1-$2.prepare" 2>&1 &&
    enter "$root" root useradd -m "$2" &&
    echo "$2 ALL=(ALL) NOPASSWD: ALL" >"$root/etc/sudoers.d/$2" &&
    chmod 440 "$root/etc/sudoers.d/$2" && enter "$root" root chown -R "$2:" "/srv/a path"
}

# timed ROOT USER LOG ARGUMENTS…: sets outcome, "exit 0, 35 s".
timed() {
  local root=$1 user=$2 log=$3 start=$SECONDS code
  shift 3
  enter "$root" "$user" sh -c 'cd "$1" && shift && exec ./swale "$@"' sh "$checkout" "$@" \
    >"$log" 2>&1
  code=$?
  outcome="exit $code, $((SECONDS - start)) s"
}

row() { printf '| %-9s | %-5s | %-16s | %-16s | %-36s | %s |\n' "$@" | tee -a "$logs/table"; }

ok=true
: >"$logs/table"
row system as quickstart test "last line" packages
row --- --- --- --- --- ---
for suite in ${*:-bookworm trixie sid}; do
  for user in ${BARE_USERS:-root tester}; do
    log=$logs/$suite-$user
    if ! make_system "$suite" || ! prepare "$suite" "$user"; then
      row "$suite" "$user" "not made" - "see $logs" -
      ok=false
      continue
    fi
    timed "$root" "$user" "$log.quickstart" run experiments/quickstart.lua
    quickstart=$outcome
    timed "$root" "$user" "$log.test" ${BARE_TEST:-test}
    case $quickstart$outcome in *"exit 0"*"exit 0"*) ;; *) ok=false ;; esac
    packages=$(chroot "$root" dpkg-query -W -f '${Package} ${Version}\n' lua5.4 lua-unit \
      libcmocka-dev 2>/dev/null | sed 's/-[^-]*$//' | paste -sd,)
    row "$suite" "$user" "$quickstart" "$outcome" \
      "$(grep -E '^[0-9]+ passed, ' "$log.test" | tail -n 1)" "$packages"
    rm -rf --one-file-system "$root"
  done
  rm -f "$temp/$suite.tar"
done
echo "logs: $logs"
$ok
