#!/bin/sh
# Collects what the image holds besides Debian's packages, as it lies below / there. Run in the build stage of the Dockerfile.
set -eu
image=$1
home=$image/opt/towtank
mkdir -p "$home/node_modules/@koromix" "$image/usr/local/bin"
cp -r dist package.json container "$home/"
# koffi is all that the bundle leaves outside; of it the loader and the library for this machine.
cp -r node_modules/koffi "$home/node_modules/"
rm -rf "$home/node_modules/koffi/lib" "$home/node_modules/koffi/vendor" "$home/node_modules/koffi/doc"
cp -r node_modules/@koromix/koffi-linux-* "$home/node_modules/@koromix/"
rm -rf "$home"/node_modules/@koromix/*/musl_*
strip -o "$image/usr/local/bin/node" "$(command -v node)"
node container/pack.mjs /usr/bin/kubectl "$home/kubectl.zst"
ln -s /opt/towtank/container/towtank.sh "$image/usr/local/bin/towtank"
ln -s /opt/towtank/container/kubectl.sh "$image/usr/local/bin/kubectl"
rm "$home/container/collect.sh" "$home/container/pack.mjs"
