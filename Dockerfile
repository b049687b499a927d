# The bases are build arguments, so that an image can be built from local or mirrored ones.
ARG BUILD_IMAGE=golang:1.26

FROM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
# Static and the same wherever it is built: no cgo, no paths, no build id, the version by argument.
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
# What TLS to Postgres and Redis is verified with.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/secure-data-api /secure-data-api
# Of nobody's group and name: the one folder that the service writes to, and only where it has no Postgres.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
# Others reach a container, so it is in production unless it is told otherwise, and wants a JWT_SECRET_KEY.
ENV ENVIRONMENT=production DATA_DIR=/data HOST=0.0.0.0
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["/secure-data-api", "healthcheck"]
ENTRYPOINT ["/secure-data-api"]
