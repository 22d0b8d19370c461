#!/bin/sh
# kubectl is the largest part of the image by far, and is kept packed until somebody wants it: once in the life of a container,
# for a quarter of a second.
folder=${TOWTANK_STATE_DIR:-/tmp}/bin
if [ ! -x "$folder/kubectl" ]; then
  mkdir -p "$folder" && unpacked=$(mktemp "$folder/kubectl.XXXXXX") || exit 1
  /usr/local/bin/node -e 'require("fs").writeFileSync(process.argv[1], require("zlib").zstdDecompressSync(require("fs").readFileSync("/opt/towtank/kubectl.zst")))' "$unpacked" || exit 1
  chmod 755 "$unpacked" && mv -f "$unpacked" "$folder/kubectl" || exit 1
fi
exec "$folder/kubectl" "$@"
