FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY aux/go.mod aux/go.sum ./aux/
RUN go mod download
COPY . .
ARG VERSION=0.1.0
RUN CGO_ENABLED=1 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /manifold ./cmd/manifold \
    && mkdir -p /empty/var/lib/manifold /empty/tmp

# glibc is needed: the grammar is C and wants the stacks that glibc gives its threads.
FROM gcr.io/distroless/base-debian12:nonroot
COPY --from=build /manifold /usr/local/bin/manifold
COPY --from=build --chown=65532:65532 --chmod=0700 /empty/var/lib/manifold /var/lib/manifold
COPY --from=build --chown=65532:65532 /src/config.toml /etc/manifold/config.toml
USER 65532:65532
WORKDIR /var/lib/manifold
VOLUME /var/lib/manifold
EXPOSE 5432
STOPSIGNAL SIGINT
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["/usr/local/bin/manifold", "health"]
ENTRYPOINT ["/usr/local/bin/manifold"]
CMD ["serve", "--config", "/etc/manifold/config.toml", "--data", "/var/lib/manifold", "--listen", "0.0.0.0:5432"]
