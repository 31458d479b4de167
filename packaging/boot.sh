#!/usr/bin/env bash
# Boots this very system once more, in a container that shares its files but keeps
# what it changes to itself, installs the package there, and lets systemd run the
# service: hardened as the unit says, does it capture, report, restart and go?
# Needs root, overlayfs, and of Debian the package systemd-container.
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "packaging/boot.sh: $*" >&2; inside journalctl --no-pager -u mqttriage >&2 || true; exit 1; }
if [ "$(id -u)" != 0 ] || ! command -v systemd-nspawn >/dev/null; then
  echo "packaging/boot.sh needs root and systemd-nspawn: apt-get install systemd-container" >&2
  exit 1
fi
work=$(mktemp -d)
pid= container=
inside() { nsenter -t "$pid" -a "$@"; }
clean() {
  [ -z "$container" ] || kill "$container" 2>/dev/null || true
  wait 2>/dev/null || true
  umount -l "$work/system" "$work/tmp" 2>/dev/null || true
  rm -rf --one-file-system "$work"
}
trap clean EXIT

native=$(dpkg --print-architecture)
DIST=$work/dist VERSION=0.0.1 ARCHES=$native packaging/build.sh

mkdir "$work/tmp" "$work/system"
mount -t tmpfs tmpfs "$work/tmp"
mkdir "$work/tmp/upper" "$work/tmp/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/tmp/upper,workdir=$work/tmp/work" "$work/system"
# Only what systemd itself needs; no service of this machine twice.
rm -rf "$work/system"/etc/systemd/system/*.wants "$work/system"/etc/rc?.d/S*
echo 0123456789abcdef0123456789abcdef >"$work/system/etc/machine-id"
cp "$work/dist/mqttriage_0.0.1_$native.deb" "$work/system/mqttriage.deb"

# The filter of systemd-nspawn itself knows no landlock.
systemd-nspawn --directory="$work/system" --machine="mqttriage-test-$$" --private-network --register=no --keep-unit \
  --system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" --boot \
  </dev/null >"$work/boot.log" 2>&1 &
container=$!
for _ in $(seq 120); do
  pid=$(pgrep -P "$container" || true)
  case $pid in
    '' | *[!0-9]*) ;;
    *) case $(inside systemctl is-system-running 2>/dev/null || true) in running | degraded) break ;; esac ;;
  esac
  sleep 0.25
done
inside systemctl is-system-running || { cat "$work/boot.log"; exit 1; }

# eventually repeats a command until it holds, for five seconds.
eventually() { for _ in $(seq 50); do if "$@" >/dev/null 2>&1; then return 0; fi; sleep 0.1; done; fail "never: $*"; }
journal() { inside journalctl --no-pager -o cat -u mqttriage | grep -q -- "$1"; }
running() { [ "$(inside systemctl is-active mqttriage)" = active ]; }
get() { inside timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/9893; printf "GET %s HTTP/1.0\r\n\r\n" "$1" >&3; cat <&3' get "$1"; }
answers() { get /healthz | grep -q '200 OK'; }

inside dpkg -i /mqttriage.deb
[ "$(inside systemctl is-enabled mqttriage)" = disabled ] || fail "installing enables the service"
! running || fail "installing starts the service"

inside sh -c 'echo "MQTTRIAGE_OPTS=\"-i lo --metrics 127.0.0.1:9893 --write /var/lib/mqttriage/mqtt.pcapng -f markdown -o /run/mqttriage/report.md\"" >/etc/default/mqttriage'
inside systemctl enable --quiet --now mqttriage
eventually answers
main=$(inside systemctl show -p MainPID --value mqttriage)
for status in $(inside sh -c "echo /proc/$main/task/*/status"); do
  inside cat "$status" >"$work/status"
  for line in CapPrm:.0000000000000000 CapEff:.0000000000000000 CapAmb:.0000000000000000 NoNewPrivs:.1 Seccomp:.2; do
    grep -q "^$line\$" "$work/status" || fail "$status: not $line: $(cat "$work/status")"
  done
  ! grep -q '^Uid:.0' "$work/status" || fail "it runs as root"
done

# A client that nobody answers.
inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/1883' 2>/dev/null || true
eventually journal connection-refused
inside systemctl reload mqttriage
eventually inside grep -q connection-refused /run/mqttriage/report.md
get /metrics >"$work/metrics"
grep -q '^mqttriage_' "$work/metrics" || fail "no metrics"

# Packets wait for five seconds at most until they are written.
kept() { find "$work/system/var/lib/private/mqttriage" -name 'mqtt-*.pcapng' -size +100c | grep -q .; }
for _ in 1 2 3; do kept && break; sleep 2; done
kept || fail "no evidence is written"

inside kill -KILL "$main"
restarted() { running && [ "$(inside systemctl show -p MainPID --value mqttriage)" != "$main" ] && answers; }
for _ in 1 2 3; do restarted && break; sleep 5; done
restarted || fail "killed, it does not come back"
inside systemctl stop mqttriage
[ "$(inside systemctl show -p Result --value mqttriage)" = success ] || fail "it does not end well"
kept || fail "no evidence was kept"
! journal evidence-failed || fail "it cannot keep evidence"

inside systemctl start mqttriage
inside dpkg -r mqttriage
! running || fail "removed, it runs on"
[ ! -e "$work/system/etc/systemd/system/multi-user.target.wants/mqttriage.service" ] || fail "removed, it stays enabled"
inside dpkg -P mqttriage
[ ! -e "$work/system/var/lib/private/mqttriage" ] || fail "purged, the evidence stays"
echo "packaging: the service holds"
