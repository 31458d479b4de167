#!/usr/bin/env bash
# Builds the Debian packages into dist/: make package. It needs Go, git, gzip and
# nothing else. The same commit gives the same bytes.
#
#   VERSION   of the packages and of the program; by default from git
#   ARCHES    Debian's names, by default "amd64 arm64 armhf"; armel as well
#   DIST      where to, by default dist
set -euo pipefail
cd "$(dirname "$0")/.."

# Pinned, for the bytes of a package depend on it.
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2

# The time that stands in the packages is that of the commit.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

# v1.2.3 is 1.2.3; three commits later 1.2.3+3.gabcdef0; v1.2.3-rc1 is 1.2.3~rc1, which
# sorts before 1.2.3. Without any tag it is 0~git and the date.
if [ -z "${VERSION:-}" ]; then
  if described=$(git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null); then
    VERSION=$(sed -E 's/^v//; s/-dirty$/+dirty/; s/-([0-9]+)-g([0-9a-f]+)/+\1.g\2/; s/-/~/g' <<<"$described")
  else
    VERSION=0~git$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d).$(git describe --always --dirty=+dirty)
  fi
fi
VERSION=${VERSION#v}
DIST=${DIST:-dist}
export VERSION ARCH STAGE
# Compiled before GOOS and GOARCH are set, for it runs here.
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
GOBIN=$tool go install "$nfpm"

# notices prints the licences of all that is linked into a program, which ask to
# be passed on with it.
notices() {
  local module dir file
  go version -m "$1" | awk '$1 == "dep" {print $2 "@" $3}' | sort | while read -r module; do
    dir=$(go list -m -f '{{.Dir}}' "$module")
    for file in "$dir"/LICEN[CS]E* "$dir"/COPYING* "$dir"/NOTICE*; do
      if [ -f "$file" ]; then
        printf '==== %s %s\n\n%s\n\n' "$module" "${file##*/}" "$(cat "$file")"
      fi
    done
  done
  printf '==== Go LICENSE\n\n%s\n' "$(cat "$(go env GOROOT)/LICENSE")"
}

for debian in ${ARCHES:-amd64 arm64 armhf}; do
  goarm=
  case $debian in
    amd64 | arm64) goarch=$debian ARCH=$debian ;;
    armhf) goarch=arm goarm=7 ARCH=arm7 ;; # Debian's armhf is ARMv7
    armel) goarch=arm goarm=5 ARCH=arm5 ;; # without a floating point unit
    *) echo "packaging/build.sh: no architecture is called $debian: amd64, arm64, armhf, armel" >&2; exit 2 ;;
  esac
  STAGE=$DIST/stage/$debian
  mkdir -p "$STAGE"
  CGO_ENABLED=0 GOOS=linux GOARCH=$goarch GOARM=$goarm go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X main.release=$VERSION" -o "$STAGE/mqttriage" ./cmd/mqttriage
  notices "$STAGE/mqttriage" | gzip -9nc >"$STAGE/licenses.gz"
  gzip -9nc docs/man/mqttriage.1 >"$STAGE/mqttriage.1.gz"
  gzip -9nc >"$STAGE/changelog.gz" <<END
mqttriage ($VERSION) stable; urgency=medium

  * https://github.com/mqttriage/mqttriage/blob/main/CHANGELOG.md says what
    is new.

 -- The mqttriage authors <mqttriage@users.noreply.github.com>  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
END
  "$tool/nfpm" package --config packaging/nfpm.yaml --packager deb --target "$DIST/mqttriage_${VERSION}_$debian.deb"
done
rm -rf "$DIST/stage"
