# The image: Node's binary with the libraries it links to, and the bundle. No shell, no package
# manager, no npm packages.
FROM node:26-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json rolldown.config.ts ./
COPY src ./src
RUN npx --no-install rolldown -c

# What `node` loads at run time, at the paths it expects.
RUN mkdir -p /rootfs/app /rootfs/etc /rootfs/tmp /rootfs/usr/local/bin \
  && cp /usr/local/bin/node /rootfs/usr/local/bin/node \
  && ldd /usr/local/bin/node | awk '/=> \// { print $3 } /^[[:space:]]*\/lib/ { print $1 }' \
    | while read -r library; do \
        mkdir -p "/rootfs$(dirname "$library")" && cp -L "$library" "/rootfs$library"; \
      done \
  && echo 'nonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin' > /rootfs/etc/passwd \
  && echo 'nonroot:x:65532:' > /rootfs/etc/group \
  && chmod 1777 /rootfs/tmp \
  && cp -r dist /rootfs/app/dist \
  && printf '{"type":"module"}\n' > /rootfs/app/package.json

FROM scratch
COPY --from=build /rootfs/ /
USER 65532:65532
WORKDIR /tmp
ENV NODE_ENV=production
ENTRYPOINT ["/usr/local/bin/node", "--disable-sigusr1", "/app/dist/strongroom.js"]
CMD ["--help"]
