# The server with its page inside, as one static binary on an empty image.
# No `# syntax` line, no digests, no build mounts: it also builds with an engine that has no BuildKit and no registry.
FROM node:22-bookworm-slim AS node

FROM rust:1.95.0-bookworm AS build
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
    && apt-get update && apt-get install -y --no-install-recommends musl-tools && rm -rf /var/lib/apt/lists/*
WORKDIR /vitrine

# The tools and packages come first: they change seldom, and a layer keeps them.
COPY rust-toolchain.toml Cargo.lock ./
COPY scripts scripts
COPY www/package.json www/package-lock.json www/.npmrc www/
RUN scripts/setup run && rustup target add "$(uname -m)-unknown-linux-musl"

COPY . .
RUN scripts/build-www \
    && cargo build --release --locked --package vitrine --target "$(uname -m)-unknown-linux-musl" \
    && mkdir -p /image/data \
    && cp "target/$(uname -m)-unknown-linux-musl/release/vitrine" /image/vitrine

FROM scratch
COPY --from=build /image/vitrine /vitrine
# A named volume takes its owner from the folder it is mounted over.
COPY --from=build --chown=65532:65532 /image/data /data
USER 65532:65532
VOLUME /data
EXPOSE 8000 7000
ENV VITRINE_HOST=0.0.0.0 VITRINE_DATA=/data
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["/vitrine", "health"]
ENTRYPOINT ["/vitrine"]
CMD ["serve"]
