# syntax=docker/dockerfile:1
# The simulated cloud, for tests in a cluster. `make simulator-image` builds bin/linux-<arch>/cloudsim first.
FROM scratch
ARG TARGETARCH=amd64
COPY bin/linux-${TARGETARCH}/cloudsim /cloudsim
USER 65532:65532
ENTRYPOINT ["/cloudsim"]
