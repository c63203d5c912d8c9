# syntax=docker/dockerfile:1
# The manager alone: a static binary on an empty base. `make docker-build` builds bin/linux-<arch>/manager first, so no
# base image is pulled. The CA roots are compiled in; the base has none.
FROM scratch
ARG TARGETARCH=amd64
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="servicestage-operator" \
      org.opencontainers.image.description="Kubernetes operator for Huawei Cloud ServiceStage and CSE" \
      org.opencontainers.image.authors="The servicestage-operator Authors" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY bin/linux-${TARGETARCH}/manager /manager
USER 65532:65532
ENTRYPOINT ["/manager"]
