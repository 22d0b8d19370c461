# towtank in a container; docs/guides/container.md tells how to use it.
#   docker build -t towtank .
#   docker run -d --name tank --cap-add NET_ADMIN towtank
#   docker exec tank kubectl get nodes
ARG DEBIAN=trixie-slim

FROM node:24-${DEBIAN} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends binutils kubernetes-client \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# What runs, and the bundler, in the versions of the lock file; npm ci refuses one in which packages of other platforms are missing.
# Behind a proxy with a certificate authority of its own: docker build --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt …
COPY package.json package-lock.json ./
RUN --mount=type=secret,id=ca \
    if [ -e /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca npm_config_cafile=/run/secrets/ca; fi \
 && locked() { node -p "'$1@' + require('./package-lock.json').packages['node_modules/$1'].version"; } \
 && bundler=$(locked rolldown) && stacks=$(locked @whatwg-node/disposablestack) \
 && options='--no-audit --no-fund --ignore-scripts --loglevel=error --fetch-retries=2 --fetch-timeout=30000' \
 && npm install --no-save --omit=dev $options \
 && npm install --prefix /bundler --no-save $options "$bundler" "$stacks" \
 && ln -s /bundler/node_modules/rolldown /bundler/node_modules/@whatwg-node node_modules/
COPY scripts/build.ts scripts/
COPY src src
COPY container container
RUN node scripts/build.ts && sh container/collect.sh /image
COPY netns-scripts /image/opt/towtank/netns-scripts
COPY LICENSE README.md CHANGELOG.md /image/opt/towtank/

FROM debian:${DEBIAN}
LABEL org.opencontainers.image.title="towtank" \
      org.opencontainers.image.description="The whole of Kubernetes networking on one Linux machine, in about a second, with real packets" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      bind9-dnsutils ca-certificates conntrack curl iproute2 iptables nftables procps \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log
COPY --from=build /image /
# Root of the container: capabilities that docker run adds are root's alone. Offline commands work with any --user.
RUN mkdir -m 1777 /var/lib/towtank
ENV TOWTANK_STATE_DIR=/var/lib/towtank \
    NODE_COMPILE_CACHE=/var/lib/towtank/compile-cache \
    KUBECONFIG=/var/lib/towtank/clusters/towtank/kubeconfig
WORKDIR /opt/towtank
EXPOSE 6443
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["curl", "-skf", "-o", "/dev/null", "https://127.0.0.1:6443/readyz"]
ENTRYPOINT ["/opt/towtank/container/entrypoint.sh"]
CMD ["up", "--foreground", "--join-host", "--api-port", "6443"]
