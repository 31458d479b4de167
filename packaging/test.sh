#!/usr/bin/env bash
# Builds the Debian packages, looks into them, installs one in a throw-away root,
# runs the program for ARM under emulation, and asks systemd about the unit. No
# root needed. Of Debian it takes the packages dpkg, qemu-user-static and systemd,
# and lintian and prometheus (for promtool) where they are installed.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in dpkg-deb qemu-arm-static qemu-aarch64-static systemd-analyze; do
  command -v "$tool" >/dev/null || { echo "packaging/test.sh needs $tool: apt-get install dpkg qemu-user-static systemd" >&2; exit 1; }
done
fail() { echo "packaging/test.sh: $*" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
export SOURCE_DATE_EPOCH=1767225600 VERSION=0.0.1 LC_ALL=C

DIST=$work/dist packaging/build.sh
DIST=$work/again ARCHES=armhf packaging/build.sh
cmp "$work/dist/mqttriage_0.0.1_armhf.deb" "$work/again/mqttriage_0.0.1_armhf.deb" || fail "two builds differ"

wanted='./etc/default/mqttriage
./usr/bin/mqttriage
./usr/lib/systemd/system/mqttriage.service
./usr/share/doc/mqttriage/changelog.gz
./usr/share/doc/mqttriage/copyright
./usr/share/doc/mqttriage/examples/alerts.yml
./usr/share/doc/mqttriage/gateway.md
./usr/share/doc/mqttriage/licenses.gz
./usr/share/lintian/overrides/mqttriage
./usr/share/man/man1/mqttriage.1.gz'
for arch in amd64 arm64 armhf; do
  deb=$work/dist/mqttriage_0.0.1_$arch.deb
  [ "$(dpkg-deb -f "$deb" Architecture)" = $arch ] || fail "$deb is for $(dpkg-deb -f "$deb" Architecture)"
  [ -z "$(dpkg-deb -f "$deb" Depends)" ] || fail "$deb depends on $(dpkg-deb -f "$deb" Depends)"
  [ "$(dpkg-deb --ctrl-tarfile "$deb" | tar xO ./conffiles)" = /etc/default/mqttriage ] || fail "$deb does not keep what the operator writes"
  listed=$(dpkg-deb -c "$deb" | awk '!/^d/ {print $6}' | sort)
  [ "$listed" = "$wanted" ] || fail "$deb holds: $listed"
  dpkg-deb -c "$deb" | awk '$2 != "root/root" || /^.....w/ || /^........w/ {bad = 1; print} END {exit bad}' || fail "$deb: modes or owners"
  dpkg-deb -x "$deb" "$work/$arch"
  size=$(stat -c %s "$work/$arch/usr/bin/mqttriage")
  echo "$arch: package $(stat -c %s "$deb"), program $size bytes"
done
[ "$size" -lt 15000000 ] || fail "the program for armhf has $size bytes; 15 MB are the limit"

# One capture, one answer, whatever the processor.
native=$(dpkg --print-architecture)
[ -d "$work/$native" ] || fail "no package is for this machine, $native"
for capture in any-interface_takeover-loop_xz mosquitto-2.0.11_tls_untrusted-ca_client-alert-unknown-ca rabbitmq-3.10.8_v5_duplicate-id_takeover; do
  file=$(ls testdata/$capture/capture.*)
  "$work/$native/usr/bin/mqttriage" read -f json "$file" >"$work/native.json"
  grep -q '"schema"' "$work/native.json" || fail "no report of $file"
  for pair in armhf:qemu-arm-static arm64:qemu-aarch64-static; do
    program=$work/${pair%:*}/usr/bin/mqttriage
    "${pair#*:}" "$program" version | tee "$work/version"
    grep -q '^mqttriage 0\.0\.1 (go.*, linux/arm' "$work/version" || fail "${pair%:*}: version"
    "${pair#*:}" "$program" read -f json "$file" | cmp - "$work/native.json" || fail "${pair%:*} says something else of $file"
  done
done

# Install, change the settings, install again, remove, purge.
root=$work/system
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/log"
touch "$root/var/lib/dpkg/status"
throwaway() { dpkg --root="$root" --log=/dev/null --force-not-root --force-script-chrootless --force-confold "$@" >>"$work/dpkg.log" 2>&1 || { cat "$work/dpkg.log"; fail "dpkg $*"; }; }
deb=$work/dist/mqttriage_0.0.1_$native.deb
throwaway -i "$deb"
"$root/usr/bin/mqttriage" version
[ ! -e "$root/etc/systemd" ] || fail "installing enables the service"
echo 'MQTTRIAGE_OPTS="-i eth0"' >"$root/etc/default/mqttriage"
throwaway -i "$deb"
grep -q eth0 "$root/etc/default/mqttriage" || fail "installing again overwrites the settings"
mkdir -p "$root/var/lib/private/mqttriage"
ln -s private/mqttriage "$root/var/lib/mqttriage"
throwaway -r mqttriage
[ -e "$root/etc/default/mqttriage" ] && [ -d "$root/var/lib/private/mqttriage" ] || fail "removing takes settings or evidence along"
throwaway -P mqttriage
left=$(find "$root" -path "$root/var/lib/dpkg" -prune -o \( -type f -o -type l \) -print)
[ -z "$left" ] && [ ! -e "$root/var/lib/private/mqttriage" ] || fail "purging leaves $left"

if command -v lintian >/dev/null; then
  lintian --allow-root --fail-on error,warning "$work"/dist/*.deb
fi
if command -v promtool >/dev/null; then
  promtool check rules packaging/alerts.yml
fi
unset VERSION SOURCE_DATE_EPOCH
go test -count=1 ./packaging
echo "packaging: all holds"
