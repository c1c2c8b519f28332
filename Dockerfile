# papermaker in a container: PAPER market making, no shell, no package manager, no root.
#
#   docker build -t papermaker .
#   docker run --rm -p 127.0.0.1:8080:8080 -v papermaker:/data papermaker                  # the demo
#   docker run -d --restart on-failure --stop-timeout 60 -p 127.0.0.1:8080:8080 -v papermaker:/data \
#       papermaker run --profile live
#
# `docker stop` sends SIGTERM: orders are cancelled, the end is recorded, exit code 0.

FROM rust:1.95-slim-bookworm AS build
# ring and zstd are C inside.
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY config config
COPY strategies strategies
COPY benches benches
COPY tests/main.rs tests/main.rs
# A bot does not train: without the feature `learn` it is half the build.
RUN cargo build --release --locked --no-default-features --bin papermaker && mkdir /data

# glibc, certificates, and a user that is nobody.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/papermaker /usr/local/bin/papermaker
COPY --from=build --chown=65532:65532 /data /data
WORKDIR /data
VOLUME /data
# In a container only the container's own network is inside; what reaches it is what `-p` lets through.
ENV PAPERMAKER__DASHBOARD__BIND=0.0.0.0 PAPERMAKER__STORE__PATH=/data/store
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["/usr/local/bin/papermaker", "status", "--health"]
ENTRYPOINT ["/usr/local/bin/papermaker"]
CMD ["run"]
