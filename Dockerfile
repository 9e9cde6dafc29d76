# The image: the binaries of Node and of nft (for the node agent) with the libraries that they link
# to, and the bundle. No shell, no package manager, no npm packages.
FROM node:26-bookworm-slim AS build
RUN apt-get update \
  && apt-get install --yes --no-install-recommends nftables \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json rolldown.config.ts ./
COPY src ./src
RUN npx --no-install rolldown -c

# What the two load at run time, at the paths they expect. nft asks the C library for the names of
# protocols, which reads a file.
RUN mkdir -p /rootfs/app /rootfs/etc /rootfs/tmp \
  && for program in /usr/local/bin/node /usr/sbin/nft; do \
       mkdir -p "/rootfs$(dirname "$program")" && cp "$program" "/rootfs$program" \
       && ldd "$program" | awk '/=> \// { print $3 } /^[[:space:]]*\/lib/ { print $1 }'; \
     done | sort -u \
    | while read -r library; do \
        mkdir -p "/rootfs$(dirname "$library")" && cp -L "$library" "/rootfs$library"; \
      done \
  && printf 'ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6-icmp 58 IPv6-ICMP\nsctp 132 SCTP\n' \
    > /rootfs/etc/protocols \
  && chroot /rootfs /usr/local/bin/node --version && chroot /rootfs /usr/sbin/nft --version \
  && echo 'nonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin' > /rootfs/etc/passwd \
  && echo 'nonroot:x:65532:' > /rootfs/etc/group \
  && chmod 1777 /rootfs/tmp \
  && cp -r dist /rootfs/app/dist \
  && printf '{"type":"module"}\n' > /rootfs/app/package.json

FROM scratch
COPY --from=build /rootfs/ /
USER 65532:65532
WORKDIR /tmp
ENV NODE_ENV=production PATH=/usr/local/bin:/usr/sbin
ENTRYPOINT ["/usr/local/bin/node", "--disable-sigusr1", "/app/dist/strongroom.js"]
CMD ["--help"]
