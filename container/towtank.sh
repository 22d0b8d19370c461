#!/bin/sh
exec /usr/local/bin/node --disable-warning=ExperimentalWarning /opt/towtank/dist/cli.js "$@"
