#!/usr/bin/env bash
# Proves what the image promises, for amd64 and arm64: that the same commit makes the same binary and the same image
# wherever it is built, that the binary is static, bears the CA roots and is alone in the image, that it is not run by
# root, and what its labels say. Needs buildah, which needs no daemon and no privileges; images are kept in a temporary
# folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v buildah >/dev/null || { echo "test-image: buildah is missing: apt-get install buildah" >&2; exit 1; }
work=$(mktemp -d)
images="buildah --root $work/images --runroot $work/run --storage-driver vfs"
trap '$images rm --all >/dev/null 2>&1 || true; $images rmi --all --force >/dev/null 2>&1 || true; chmod -R u+w "$work"; rm -rf "$work"' EXIT
# The same for every build below, as for every build of one commit.
export SOURCE_DATE_EPOCH=1700000000
settings=(VERSION=v0.0.0-test REVISION=0123456789abcdef0123456789abcdef01234567)
created=2023-11-14T22:13:20Z

fail() { echo "test-image: $*" >&2; exit 1; }
same() { # what, wanted, got
  [ "$2" = "$3" ] || fail "$1: want $2, got $3"
  printf '  ok   %-28s %s\n' "$1" "$3"
}
digest() { sha256sum "$1" | cut -d' ' -f1; }

# Another folder and an empty build cache stand for another machine.
mkdir "$work/elsewhere"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' f; do
  [ ! -e "$f" ] || printf '%s\0' "$f"
done | tar -cf - --null -T - | tar -xf - -C "$work/elsewhere"

for arch in amd64 arm64; do
  echo "linux/$arch"
  make -s docker-build "${settings[@]}" ARCH=$arch CONTAINER_TOOL="$images" IMG=here-$arch >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; fail "the image was not built"; }
  GOCACHE=$work/cache make -s -C "$work/elsewhere" docker-build "${settings[@]}" ARCH=$arch CONTAINER_TOOL="$images" IMG=there-$arch \
    >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "the image was not built elsewhere"; }
  binary=bin/linux-$arch/manager
  same "binary, built twice" "$(digest "$binary")" "$(digest "$work/elsewhere/$binary")"
  inspect() { $images inspect --type image --format "$2" "$1-$arch"; }
  same "image, built twice" "$(inspect here '{{.FromImageDigest}}')" "$(inspect there '{{.FromImageDigest}}')"
  same "architecture" "linux/$arch" "$(inspect here '{{.OCIv1.OS}}/{{.OCIv1.Architecture}}')"
  same "user" 65532:65532 "$(inspect here '{{.OCIv1.Config.User}}')"
  same "entry point" '[/manager]' "$(inspect here '{{.OCIv1.Config.Entrypoint}}')"
  for label in title=servicestage-operator licenses=Apache-2.0 "${settings[@]/#VERSION=/version=}" "created=$created"; do
    label=${label/#REVISION=/revision=}
    same "label ${label%%=*}" "${label#*=}" "$(inspect here "{{index .OCIv1.Config.Labels \"org.opencontainers.image.${label%%=*}\"}}")"
  done
  container=$($images from --pull-never "here-$arch")
  root=$($images mount "$container")
  same "files" "-rwxr-xr-x /manager" "$(find "$root" -mindepth 1 -printf '%M /%P\n')"
  same "the binary is the built one" "$(digest "$binary")" "$(digest "$root/manager")"
  # No interpreter and no shared library: nothing but the kernel is needed.
  same "program headers" static "$(readelf --program-headers --wide "$root/manager" | grep -qE 'INTERP|DYNAMIC' && echo dynamic || echo static)"
  same "CA roots" compiled-in "$(go version -m "$root/manager" | grep -q x509roots/fallback && echo compiled-in || echo missing)"
  if [ "$arch" = "$(go env GOHOSTARCH)" ] && [ "$(id -u)" = 0 ]; then
    # The usage text comes from the binary inside the image, with nothing else there.
    usage=$($images run --isolation chroot --user 65532:65532 "$container" -- /manager --help 2>&1 | sed -n 1p)
    same "runs in the image" "Usage of manager:" "$usage"
  fi
  $images umount "$container" >/dev/null
done
echo "test-image: both images are what they should be"
