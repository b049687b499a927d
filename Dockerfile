# The build image is an argument, so that it can be a local or mirrored one.
ARG BUILD_IMAGE=golang:1.26

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
# Static and reproducible: no cgo, no paths, no build id; the version is an argument.
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=${VERSION}" \
      -o /out/secure-data-api ./bootstrap/secure-data-api \
 && mkdir -p /out/data

FROM scratch
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Secure Data API" \
      org.opencontainers.image.description="Multi-tenant analytics service that a team can run itself" \
      org.opencontainers.image.source="https://github.com/muhammad-ali-dev0/secure-data-api" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# For TLS to Postgres and Redis.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/secure-data-api /secure-data-api
# The only folder that the service writes to, and only without Postgres. 65532 is an unprivileged user without a name.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
# A container can be reached from the network, so the default is production, which requires JWT_SECRET_KEY.
ENV ENVIRONMENT=production DATA_DIR=/data HOST=0.0.0.0
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["/secure-data-api", "healthcheck"]
ENTRYPOINT ["/secure-data-api"]
