# syntax=docker/dockerfile:1
# Both stages stand on the same Debian, so the C library at run time is never older than the one at build time.
ARG RUST_VERSION=1.95

FROM rust:${RUST_VERSION}-slim-bookworm AS build
WORKDIR /build
COPY . .
# Which commit this is, for the metric callcard_build_info.
ARG REVISION=unknown
ENV CALLCARD_REVISION=${REVISION}
# The caches keep the registry and compiled dependencies between builds; the binary must leave the cached folder in the same step.
# An empty state folder is made here, because the final stage has no shell to make one.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    cargo build --release --locked --bin callcard \
    && install -D -m 0755 target/release/callcard /out/callcard \
    && install -d -m 0700 -o 65532 -g 65532 /out/state

FROM gcr.io/distroless/cc-debian12:nonroot
ARG REVISION=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title="callcard" \
      org.opencontainers.image.description="Who is calling? Phone number in, Kommo contact card out" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/callcard /usr/local/bin/callcard
COPY --from=build --chown=65532:65532 /out/state /var/lib/callcard
# A container has an address of its own. Listening beyond loopback needs callers' keys, or CALLCARD_AUTH=none said out loud.
# The linter takes the path of the token store for a secret.
# hadolint ignore=DL3064
ENV CALLCARD_LISTEN=0.0.0.0:8080 \
    CALLCARD_ADMIN_LISTEN=0.0.0.0:9090 \
    CALLCARD_TOKEN_STORE=/var/lib/callcard/token.json
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 8080 9090
VOLUME /var/lib/callcard
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/usr/local/bin/callcard", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/callcard"]
CMD ["serve"]
